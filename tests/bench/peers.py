# SPDX-License-Identifier: GPL-2.0-or-later
"""The switches that are measured, each between two containers of its own: namespaces a and b with one device `eth0`.

             a: eth0 10.99.0.1 --- [ switch, in a namespace of its own ] --- b: eth0 10.99.0.2

None touches the host: no service, no system-wide database, no device in its namespace.
"""

import json
import os
import subprocess

from places import Failed, call, descendants, inside, wait_until

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
ADDRESS_A = "10.99.0.1"
ADDRESS_B = "10.99.0.2"


class Peer:
    """One switch and its two containers."""

    name = ""

    def __init__(self, run):
        self.run = run
        self.a = run.namespace(f"{self.name}-a")
        self.b = run.namespace(f"{self.name}-b")
        self.home = run.namespace(self.name)
        self.processes = []
        self.build()
        for where, address in ((self.a, ADDRESS_A), (self.b, ADDRESS_B)):
            call("ip", "-n", where, "address", "add", f"{address}/24", "dev", "eth0")
            call("ip", "-n", where, "link", "set", "eth0", "up")
        wait_until(f"a ping through {self.name}", self.answers)

    def build(self):
        """Starts the switch and puts an eth0 into a and b."""
        raise NotImplementedError

    def answers(self):
        return subprocess.run(inside(self.a, "ping", "-c", "1", "-W", "1", ADDRESS_B), check=False,
                              stdout=subprocess.DEVNULL).returncode == 0

    def pids(self):
        """Of the processes that switch; none when the kernel does it."""
        return [pid for process in self.processes for pid in descendants(process.pid)]

    def spawn(self, where, *argv, **options):
        process = self.run.start(where, *argv, **options)
        self.processes.append(process)
        return process


class Bridge(Peer):
    """Linux bridge, a veth pair for each container."""

    name = "bridge"

    def build(self):
        call("ip", "-n", self.home, "link", "add", "br0", "type", "bridge")
        call("ip", "-n", self.home, "link", "set", "br0", "up")
        for where, port in ((self.a, "pa"), (self.b, "pb")):
            call("ip", "-n", self.home, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", where)
            call("ip", "-n", self.home, "link", "set", port, "master", "br0", "up")


class OpenVswitch(Peer):
    """The userspace datapath of Open vSwitch with taps, in a private directory; its defaults, so no TSO."""

    name = "ovs"
    settings = ()

    def build(self):
        place = self.run.path(self.name)
        os.mkdir(place)
        socket = f"unix:{place}/db.sock"
        here = dict(os.environ, OVS_RUNDIR=place, OVS_LOGDIR=place)
        call("ovsdb-tool", "create", f"{place}/conf.db", "/usr/share/openvswitch/vswitch.ovsschema")
        self.run.start(self.home, "ovsdb-server", f"{place}/conf.db", f"--remote=p{socket}",
                       f"--unixctl={place}/db.ctl", env=here)
        wait_until("ovsdb-server", lambda: os.path.exists(f"{place}/db.sock"))

        def configure(*words):
            call("ovs-vsctl", "--timeout=10", f"--db={socket}", "--no-wait", *words, env=here)

        configure("--", "init", *self.settings)
        self.spawn(self.home, "ovs-vswitchd", socket, f"--unixctl={place}/switch.ctl", "--disable-system",
                   "--disable-system-route", env=here)
        configure("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
        for where, port in ((self.a, f"{self.name}-pa"), (self.b, f"{self.name}-pb")):
            configure("add-port", "br0", port, "--", "set", "interface", port, "type=tap")
            wait_until(f"device {port}", lambda name=port: self.has_device(name))
            call("ip", "-n", self.home, "link", "set", port, "netns", where)
            call("ip", "-n", where, "link", "set", port, "name", "eth0")

    def has_device(self, name):
        return subprocess.run(["ip", "-n", self.home, "link", "show", name], check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


class OpenVswitchTso(OpenVswitch):
    """The same with its experimental segmentation offload: for information."""

    name = "ovs-tso"
    settings = ("--", "set", "Open_vSwitch", ".", "other_config:userspace-tso-enable=true")


class Vde(Peer):
    """vde_switch, and vde_plug2tap in each container."""

    name = "vde"

    def build(self):
        place = self.run.path("vde")
        # Both read commands from standard input and end with it: run.start() keeps it open.
        self.spawn(self.home, "vde_switch", "-s", place)
        wait_until("vde_switch", lambda: os.path.exists(f"{place}/ctl"))
        for where in (self.a, self.b):
            self.spawn(where, "vde_plug2tap", "-s", place, "eth0")
            wait_until("vde_plug2tap", lambda name=where: subprocess.run(
                ["ip", "-n", name, "link", "show", "eth0"], check=False, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL).returncode == 0)


class Vfab(Peer):
    """vfabd with two taps on one network."""

    name = "vfab"

    def build(self):
        self.fabric = Fabric(self.run, self.home, {
            "a": {"tap": "eth0", "netns": self.a, "network": "n"},
            "b": {"tap": "eth0", "netns": self.b, "network": "n"},
        })
        self.processes.append(self.fabric.process)


class Fabric:
    """A vfabd with one internal network."""

    def __init__(self, run, home, ports, workers=None):
        self.socket = run.path("vfab.sock")
        conf = {"networks": {"n": {"mode": "internal", "vlan": 10}}, "ports": ports}
        if workers:
            conf["workers"] = workers
        self.process = run.start(home, *self.command(run, conf))
        wait_until("the ports of vfabd", self.is_up)

    @staticmethod
    def command(run, conf):
        """JSON is YAML."""
        with open(run.path("fabric.yaml"), "w", encoding="ascii") as out:
            json.dump(conf, out)
        return [f"{BUILD}/vfabd", "-c", run.path("fabric.yaml"), "-s", run.path("vfab.sock"),
                "--state", run.path("state")]

    def is_up(self):
        if self.process.poll() is not None:
            raise Failed(f"vfabd ended with status {self.process.returncode}")
        try:
            ports = json.loads(call(f"{BUILD}/vfab", "-s", self.socket, "port", "ls", "-o", "json"))
        except (Failed, ValueError):
            return False
        return bool(ports) and all(port["state"] == "up" for port in ports)

    def pids(self):
        return descendants(self.process.pid)
