# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers of addresses and names, each asked by the same client: a namespace with one device eth0, which is a veth's end or our tap.

     a: eth0 10.99.0.2/16 (perfdhcp as a relay, dnsperf) --- [ server, 10.99.0.254, in a namespace of its own ]
     x: eth0 10.99.0.3/16 --- iperf3 through the same switch, or bridge, as a --- y: eth0 10.99.0.4/16

All of them keep leases in files, give out the same range, and probe nothing before they offer: ours asks by ARP while an offer is out.
"""

import json
import os
import re
import subprocess
import time

from peers import BUILD, ROOT
from places import Failed, call, descendants, inside, wait_until

SERVER, CLIENT, MASK = "10.99.0.254", "10.99.0.2", 16
FIRST, LAST = "10.99.16.0", "10.99.239.255"
CLIENTS = 20000
NAMES = 1000
RATES = (250, 500, 1000, 2000, 4000, 8000, 12000, 16000, 24000, 32000, 48000)


def host(n):
    return f"guest{n}", f"10.99.{1 + n // 250}.{1 + n % 250}"


class Server:
    """A server, its client, and with traffic two more namespaces on the same switch."""

    name = ""
    members = ("a",)
    addresses = {"a": CLIENT, "x": "10.99.0.3", "y": "10.99.0.4"}

    def __init__(self, run):
        self.run = run
        self.home = run.namespace(self.name)
        self.processes = []
        self.best = None
        for member in self.members:
            setattr(self, member, run.namespace(f"{self.name}-{member}"))
        self.build()
        for member in self.members:
            where = getattr(self, member)
            call("ip", "-n", where, "address", "add", f"{self.addresses[member]}/{MASK}", "dev", "eth0")
            call("ip", "-n", where, "link", "set", "eth0", "up")
        wait_until(f"a lease of {self.name}", self.answers, 20)

    def build(self):
        """Starts the server and puts an eth0 into each member."""
        raise NotImplementedError

    def spawn(self, *argv, **options):
        process = self.run.start(self.home, *argv, **options)
        self.processes.append(process)
        return process

    def pids(self):
        return [pid for process in self.processes for pid in descendants(process.pid)]

    def answers(self):
        return perfdhcp(self, 10, 10, 0.3)["done"] > 0

    def bridge(self):
        """The kernel's, with the server's address and a veth for each member."""
        call("ip", "-n", self.home, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        call("ip", "-n", self.home, "link", "set", "br0", "up")
        call("ip", "-n", self.home, "address", "add", f"{SERVER}/{MASK}", "dev", "br0")
        for member in self.members:
            call("ip", "-n", self.home, "link", "add", f"p{member}", "type", "veth", "peer", "name", "eth0", "netns", getattr(self, member))
            call("ip", "-n", self.home, "link", "set", f"p{member}", "master", "br0", "up")

    def veth(self):
        """No switch between: what a peer is best at."""
        call("ip", "-n", self.home, "link", "add", "br0", "type", "veth", "peer", "name", "eth0", "netns", self.a)
        call("ip", "-n", self.home, "address", "add", f"{SERVER}/{MASK}", "dev", "br0")
        call("ip", "-n", self.home, "link", "set", "br0", "up")


class Vfab(Server):
    name = "vfab"

    def build(self):
        reservations = [{"mac": f"02:00:00:01:{n // 256:02x}:{n % 256:02x}", "ip": host(n)[1], "name": host(n)[0]} for n in range(NAMES)]
        conf = {"networks": {"n": {"mode": "internal", "ipv4": f"10.99.0.0/{MASK}", "gateway": SERVER,
                                   "dhcp": {"range": f"{FIRST}-{LAST}", "lease": "1h", "per-port": 65536, "reservations": reservations}}},
                "ports": {member: {"tap": "eth0", "netns": getattr(self, member), "network": "n"} for member in self.members}}
        with open(self.run.path("vfab.yaml"), "w", encoding="ascii") as out:
            json.dump(conf, out)  # JSON is YAML
        socket = self.run.path("vfab.sock")
        process = self.spawn(f"{BUILD}/vfabd", "-c", self.run.path("vfab.yaml"), "-s", socket, "--state", self.run.path("state"))

        def is_up():
            if process.poll() is not None:
                raise Failed(f"vfabd ended with status {process.returncode}")
            try:
                ports = json.loads(call(f"{BUILD}/vfab", "-s", socket, "port", "ls", "-o", "json"))
            except (Failed, ValueError):
                return False
            return len(ports) == len(self.members) and all(port["state"] == "up" for port in ports)

        wait_until("the ports of vfabd", is_up)


class Dnsmasq(Server):
    name = "dnsmasq"

    def build(self):
        self.veth()
        self.serve()

    def serve(self):
        with open(self.run.path("hosts"), "w", encoding="ascii") as out:
            out.writelines(f"{host(n)[1]} {host(n)[0]}.n.vfab\n" for n in range(NAMES))
        os.makedirs(self.run.path("leases"), exist_ok=True)
        self.spawn("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--interface=br0", "--bind-interfaces",
                   "--except-interface=lo", "--no-ping", "--dhcp-authoritative", "--no-resolv", "--no-hosts", "--pid-file=",
                   f"--addn-hosts={self.run.path('hosts')}", "--local=/vfab/", f"--dhcp-range={FIRST},{LAST},255.255.0.0,1h",
                   "--dhcp-lease-max=100000", f"--dhcp-leasefile={self.run.path('leases', 'dnsmasq')}")


class Kea(Server):
    """Debian's, out of its package, which is not installed: that would start it at boot."""

    name = "kea"

    def build(self):
        self.veth()
        place = call(f"{ROOT}/tests/lib/unpacked.sh", "kea-dhcp4-server", timeout=600).strip().splitlines()[-1]
        conf = {"Dhcp4": {
            "interfaces-config": {"interfaces": ["br0"], "dhcp-socket-type": "udp"},
            "lease-database": {"type": "memfile", "persist": True, "name": self.run.path("kea.csv"), "lfc-interval": 0},
            "valid-lifetime": 3600, "subnet4": [{"subnet": f"10.99.0.0/{MASK}", "pools": [{"pool": f"{FIRST} - {LAST}"}]}],
            "loggers": [{"name": "kea-dhcp4", "output_options": [{"output": "stderr"}], "severity": "ERROR"}]}}
        with open(self.run.path("kea.json"), "w", encoding="ascii") as out:
            json.dump(conf, out)
        self.spawn(f"{place}/usr/sbin/kea-dhcp4", "-c", self.run.path("kea.json"),
                   env=dict(os.environ, KEA_LOCKFILE_DIR="none", KEA_PIDFILE_DIR=self.run.directory, KEA_LOGGER_DESTINATION="stderr"))


class VfabSwitch(Vfab):
    members = ("a", "x", "y")


class DnsmasqBridge(Dnsmasq):
    members = ("a", "x", "y")

    def build(self):
        self.bridge()
        self.serve()


SERVERS = (Vfab, Kea, Dnsmasq)
NAME_SERVERS = (Vfab, Dnsmasq)
SWITCHES = (VfabSwitch, DnsmasqBridge)


# --- perfdhcp ---

def section(text, name):
    """The figures of one kind of exchange."""
    part = text.split(f"Statistics for: {name}", 1)[1].split("***Statistics", 1)[0]
    return {key: float(value) for key, value in re.findall(r"^([a-z ]+): ([0-9.]+)", part, re.M)}


def times(text):
    """How long each answer took, in ms, out of perfdhcp's list of packets (-x t)."""
    return [1000 * (float(received) - float(sent)) for sent, received in re.findall(r"^sent / received: ([0-9.]+) / ([0-9.]+)", text, re.M)]


def perfdhcp(server, rate, clients, seconds, *more):
    argv = inside(server.a, "perfdhcp", "-4", "-l", "eth0", "-r", rate, "-R", clients, "-p", max(1, round(seconds)), "-W", 300000, *more, SERVER)
    done = subprocess.run(argv, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds + 60)
    if "Statistics for: REQUEST-ACK" not in done.stdout:
        return {"done": 0, "text": done.stdout}
    acks = section(done.stdout, "REQUEST-ACK")
    return {"done": acks["received packets"] / max(1, round(seconds)), "text": done.stdout}


def exchanges(server, seconds=2):
    """Whole exchanges a second, the most that there are: by perfdhcp at a fixed rate (which the first call finds out; later ones go near it)
    and by dhcp_load, so many at a time.  On a small machine perfdhcp is often the first that cannot keep up."""
    if server.best is None:
        server.best, most, worse = RATES[0], 0, 0
        for rate in RATES:
            done = perfdhcp(server, rate, CLIENTS, 1)["done"]
            if done > most:
                server.best, most, worse = rate, done, 0
            else:
                worse += 1
            if worse == 2:
                break
            time.sleep(0.3)
    at = RATES.index(server.best)
    return {"perfdhcp": max(perfdhcp(server, rate, CLIENTS, seconds)["done"] for rate in RATES[at:at + 2]),
            "dhcp_load": max(load(server, outstanding, 1) for outstanding in (64, 256))}


def load(server, outstanding, seconds):
    text = call(*inside(server.a, f"{BUILD}/tests/bench/dhcp_load", SERVER, CLIENT, seconds, outstanding, CLIENTS), timeout=seconds + 30)
    return float(re.search(r"exchanges=(\d+)", text).group(1))


# --- Beside traffic ---

def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


def stream(switch, seconds, meanwhile):
    """[(from, to, Gbit/s)] of one TCP stream from x to y, in quarters of a second, while `meanwhile` is called with its clock."""
    listener = subprocess.Popen(inside(switch.y, "iperf3", "-s", "-1"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until("iperf3", lambda: ":5201 " in call(*inside(switch.y, "ss", "-Hltn")))
        sender = subprocess.Popen(inside(switch.x, "iperf3", "-c", switch.addresses["y"], "-t", seconds, "-i", "0.25", "-J"), text=True,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        start = time.monotonic()
        time.sleep(1)
        meanwhile(lambda: time.monotonic() - start)
        text = sender.communicate(timeout=seconds + 30)[0]
        listener.wait(10)
    except subprocess.TimeoutExpired as error:
        raise Failed("iperf3 does not end") from error
    finally:
        listener.kill()
        listener.wait()
    return [(i["sum"]["start"], i["sum"]["end"], i["sum"]["bits_per_second"] / 1e9) for i in json.loads(text)["intervals"]]


def beside(switch, seconds=2, turns=3, rate=500):
    """Answer times of DHCP in ms at that rate beside a TCP stream, and what is kept of the stream: against the same generator that speaks to
    nobody, for what the generator itself takes of this machine is not the server's.  Both take turns within one stream."""
    spans, took, done = {"nobody": [], "server": []}, [], []

    def meanwhile(clock):
        for _ in range(turns):
            begin = clock()
            perfdhcp_to_nobody(switch, rate, seconds)
            spans["nobody"].append((begin + 0.25, begin + seconds))
            begin = clock()
            got = perfdhcp(switch, rate, 1000, seconds, "-x", "t")
            spans["server"].append((begin + 0.25, begin + seconds))
            took.extend(times(got["text"]))
            done.append(got["done"])

    parts = stream(switch, 2 + turns * 2 * (seconds + 0.5), meanwhile)
    if not took:
        raise Failed(f"{switch.name}: no answer beside traffic")
    kept = {}
    for what, found in spans.items():
        rates = [gbits for begin, end, gbits in parts if any(a <= begin and end <= b for a, b in found)]
        kept[what] = sum(rates) / max(1, len(rates))
    return {"p50_ms": percentile(took, 0.5), "p99_ms": percentile(took, 0.99), "answered": sum(done) / len(done) / rate,
            "stream_gbits": kept["server"], "stream_kept": kept["server"] / kept["nobody"]}


def perfdhcp_to_nobody(switch, rate, seconds):
    """As many packets, into a device that leads nowhere, in the same namespace."""
    if "nowhere" not in call("ip", "-n", switch.a, "-br", "link"):
        call("ip", "-n", switch.a, "link", "add", "nowhere", "type", "veth", "peer", "name", "end")
        call("ip", "-n", switch.a, "address", "add", "10.98.0.2/16", "dev", "nowhere")
        for device in "end", "nowhere":
            call("ip", "-n", switch.a, "link", "set", device, "up")
        call("ip", "-n", switch.a, "neigh", "add", "10.98.0.254", "lladdr", "02:00:00:00:00:fe", "dev", "nowhere")
    subprocess.run(inside(switch.a, "perfdhcp", "-4", "-i", "-l", "nowhere", "-r", 2 * rate, "-R", 1000, "-p", seconds, "-W", 0, "10.98.0.254"), check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=seconds + 30)


# --- Names ---

def queries(server, seconds=2):
    """Answers a second for names of guests, over UDP, each of them right."""
    path = server.run.path("queries")
    with open(path, "w", encoding="ascii") as out:
        out.writelines(f"{host(n)[0]}.n.vfab A\n" for n in range(NAMES))
    text = call(*inside(server.a, "dnsperf", "-s", SERVER, "-d", path, "-l", seconds, "-c", 8, "-q", 200), timeout=seconds + 30)
    rate = re.search(r"Queries per second: +([0-9.]+)", text)
    good = re.search(r"NOERROR \d+ \(([0-9.]+)%\)", text)
    if not rate or not good or float(good.group(1)) < 99.9:
        raise Failed(f"{server.name}: dnsperf: {text[-800:]}")
    return {"answers": float(rate.group(1))}
