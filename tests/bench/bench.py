# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures of SPECIFICATION.md, as key=value lines.

The machines that this runs on are shared and noisy, so what counts is the ratio between switches that took turns
within one run: each round measures every peer once, a ratio is taken within its round, and the median of
the rounds is printed with the lowest and the highest.
"""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time

import dhcp
import nat
from peers import ADDRESS_B, BUILD, ROOT, Bridge, Fabric, OpenVswitch, OpenVswitchTso, Vde, Vfab
from places import Failed, Run, call, cpu_ns, inside, memory_kb, quiet
from vhost import bench_vhost

ROUNDS = int(os.environ.get("ROUNDS", "7"))
UDP_PORT = 7000


def show(bench, **values):
    print(f"bench={bench}", *(f"{key}={value}" for key, value in values.items()), flush=True)


def three(values, digits=2):
    """Median, lowest and highest."""
    return {"median": f"{statistics.median(values):.{digits}f}", "low": f"{min(values):.{digits}f}",
            "high": f"{max(values):.{digits}f}"}


def compare(bench, kinds, measure, unit, digits=2, ours=("vfab",)):
    """Rounds of measure(peer) over all peers in turn; each may return several named values."""
    with Run() as run:
        peers = [kind(run.stack.enter_context(Run())) for kind in kinds]
        results = {peer.name: [] for peer in peers}
        for peer in peers:  # not counted: caches, tables, frequencies
            measure(peer)
        for turn in range(ROUNDS):
            start = turn % len(peers)
            for peer in peers[start:] + peers[:start]:
                quiet.wait()
                results[peer.name].append(measure(peer))
    for what in next(iter(results.values()))[0]:
        for name, rounds in results.items():
            show(bench, peer=name, what=what, unit=unit, **three([r[what] for r in rounds], digits),
                 rounds=ROUNDS)
        for own in ours:
            for name, rounds in results.items():
                if name in ours:
                    continue
                pairs = zip(results[own], rounds)
                show(bench, ratio=f"{own}/{name}", what=what, **three([v[what] / r[what] for v, r in pairs], 3))


def tcp(peer, seconds=2):
    """One stream, at the receiver, in Gbit/s; and CPU time of the switch, where it is a process."""
    server = subprocess.Popen(inside(peer.b, "iperf3", "-s", "-1"), stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_listener(peer.b, 5201)
        answer = call(*inside(peer.a, "iperf3", "-c", getattr(peer, "target", ADDRESS_B), "-t", seconds, "-J"), timeout=seconds + 20)
        server.wait(10)
    except subprocess.TimeoutExpired as error:
        raise Failed("iperf3 does not end") from error
    finally:
        server.kill()
        server.wait()
    return {"throughput": json.loads(answer)["end"]["sum_received"]["bits_per_second"] / 1e9}


def wait_for_listener(where, port):
    for _ in range(250):
        if f":{port} " in call(*inside(where, "ss", "-Hltn")):
            return
        time.sleep(0.02)
    raise Failed(f"nobody listens on port {port}")


def udp(peer, seconds=2):
    """64-byte frames a second at the receiver, the sender as fast as it can."""
    load = f"{BUILD}/tests/bench/udp_load"
    receiver = subprocess.Popen(inside(peer.b, load, "receive", UDP_PORT, seconds), text=True,
                                stdout=subprocess.PIPE)
    sender = subprocess.Popen(inside(peer.a, load, "send", ADDRESS_B, UDP_PORT, seconds + 1), text=True,
                              stdout=subprocess.PIPE)
    try:
        got = receiver.communicate(timeout=seconds + 10)[0]
        sender.communicate(timeout=seconds + 10)
    except subprocess.TimeoutExpired as error:
        raise Failed("udp_load does not end") from error
    finally:
        for process in receiver, sender:
            process.kill()
            process.wait()
    if receiver.returncode != 0:
        raise Failed(f"{peer.name}: no datagram came")
    return {"received": float(re.search(r"pps=(\d+)", got).group(1)) / 1000}


def rtt(peer, count=10000):
    """`ping -f`: mean; and without pause, each time printed: the 99th percentile.  Microseconds."""
    flood = call(*inside(peer.a, "ping", "-f", "-q", "-c", count, ADDRESS_B), timeout=60)
    each = call(*inside(peer.a, "ping", "-i", "0", "-n", "-c", count, ADDRESS_B), timeout=60)
    times = sorted(1000 * float(ms) for ms in re.findall(r"time=([0-9.]+) ms", each))
    if len(times) < count * 0.99:
        raise Failed(f"{peer.name}: {count - len(times)} of {count} pings lost")
    return {"mean": 1000 * float(re.search(r"= [0-9.]+/([0-9.]+)/", flood).group(1)),
            "p99": times[len(times) * 99 // 100]}


def own_taps(count):
    return {f"p{i}": {"tap": f"t{i}", "network": "n"} for i in range(count)}


def bench_tcp():
    compare("tcp", (Vfab, Bridge, OpenVswitch, Vde, OpenVswitchTso), tcp, "gbit/s")


def bench_nat():
    """The way out: through gateways; and the translation alone, in memory."""
    compare("nat", nat.WAYS, tcp, "gbit/s", ours=("vfab", "vfab-host"))
    print(call(f"{BUILD}/tests/bench/bench_nat", timeout=600), end="", flush=True)


def bench_dhcp():
    """Addresses and names: all that a server can do, its answers beside traffic, and names of guests."""
    compare("dhcp", dhcp.SERVERS, dhcp.exchanges, "leases/s", 0)
    compare("dhcp-beside-traffic", dhcp.SWITCHES, dhcp.beside, "by_name", 3)
    compare("dns", dhcp.NAME_SERVERS, dhcp.queries, "answers/s", 0)


def bench_udp():
    compare("udp", (Vfab, Bridge, OpenVswitch, Vde), udp, "kpps", 1)


def bench_rtt():
    compare("rtt", (Vfab, Bridge, OpenVswitch, Vde), rtt, "us", 1)


def bench_idle(ports=16, seconds=20):
    """CPU time of both processes while nothing happens."""
    with Run() as run:
        fabric = Fabric(run, run.namespace("idle"), own_taps(ports))
        time.sleep(2)  # what a new device says of itself
        quiet.wait()
        pids = fabric.pids()
        spent, start = cpu_ns(pids), time.monotonic()
        time.sleep(seconds)
        spent, span = cpu_ns(pids) - spent, time.monotonic() - start
        show("idle", ports=ports, processes=len(pids), seconds=f"{span:.1f}", cpu_us=spent // 1000,
             percent_of_cpu=f"{100 * spent / 1e9 / span:.4f}")


def bench_memory(ports=64):
    with Run() as run:
        fabric = Fabric(run, run.namespace("memory"), own_taps(ports))
        pids = fabric.pids()
        show("memory", ports=ports, processes=len(pids), rss_mb=f"{memory_kb(pids, 'Rss') / 1024:.1f}",
             pss_mb=f"{memory_kb(pids, 'Pss') / 1024:.1f}",
             each_rss_mb=",".join(f"{memory_kb([pid], 'Rss') / 1024:.1f}" for pid in pids))


def bench_start(ports=16):
    """From exec to a frame sent at the first port and seen at the last."""
    for where in "own", "each":
        results = []
        for _ in range(ROUNDS):
            quiet.wait()
            with Run() as run:
                results.append(start_once(run, ports, where == "each"))
        for what in results[0]:
            show("start", ports=ports, namespaces=where, what=what,
                 **three([float(r[what]) for r in results], 1), rounds=ROUNDS)


def start_once(run, ports, is_each):
    home = run.namespace("start")
    taps = own_taps(ports)
    places = ["-", "-"]
    if is_each:
        for name, tap in taps.items():
            tap["netns"] = run.namespace(name)
        places = [f"/run/netns/{taps[name]['netns']}" for name in ("p0", f"p{ports - 1}")]
    conf = {"networks": {"n": {"mode": "internal", "vlan": 10}}, "ports": taps}
    line = call(*inside(home, f"{BUILD}/tests/bench/first_frame", places[0], "t0", places[1], f"t{ports - 1}",
                        "--", *Fabric.command(run, conf)), timeout=60)
    values = dict(word.split("=") for word in line.split())
    if values.pop("status") != "0":
        raise Failed("vfabd did not end well")
    return values


def bench_forward():
    """Forwarding alone: cycles, then instructions, with the recorder (off) and without it in the build."""
    print(call(f"{BUILD}/tests/bench/bench_forward", timeout=120), end="", flush=True)
    for line in call(f"{ROOT}/tests/bench/instructions.sh", "recorder", "no-recorder", timeout=300).splitlines():
        print(f"bench=forward {line}", flush=True)


BENCHES = {"tcp": bench_tcp, "udp": bench_udp, "rtt": bench_rtt, "idle": bench_idle, "memory": bench_memory,
           "start": bench_start, "forward": bench_forward, "vhost": lambda: bench_vhost(show),
           "nat": bench_nat, "dhcp": bench_dhcp}


def show_machine():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
    show("machine", cpus=os.cpu_count(), model=model.replace(" ", "_"), kernel=os.uname().release,
         load=os.getloadavg()[0])


def main():
    names = sys.argv[1:] or os.environ.get("BENCH", "").split() or list(BENCHES)
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"bench: {unknown[0]}: not one of {' '.join(BENCHES)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    show_machine()
    failed = 0
    for name in names:
        try:
            BENCHES[name]()
        except Failed as why:
            print(f"bench: {name}: {why}", file=sys.stderr)
            failed = 1
        except KeyboardInterrupt:
            return 130
    return failed


if __name__ == "__main__":
    sys.exit(main())
