# SPDX-License-Identifier: GPL-2.0-or-later
"""The way out: one TCP stream from a container inside to a host outside, through each of the gateways that people use.

     a: eth0 10.99.0.1/24 --- [ gateway, in a namespace of its own ] --- veth --- b: eth0 10.98.0.2/24
                 default by .254                         10.98.0.1

b never hears of 10.99.0.0/24: it answers the gateway's own address.  IPv6 is off.
"""

import json
import os
import subprocess

from peers import BUILD
from places import Failed, call, descendants, inside, wait_until

OUTSIDE = "10.98.0.2"
GATEWAY = "10.98.0.1"


class Way:
    """A gateway between a and b."""

    name = ""
    target = OUTSIDE
    has_host_address = True  # the gateway's namespace has 10.98.0.1 itself

    def __init__(self, run):
        self.run = run
        self.a = run.namespace(f"{self.name}-a")
        self.b = run.namespace(f"{self.name}-b")
        self.home = run.namespace(f"{self.name}-gw")
        self.processes = []
        call("ip", "-n", self.home, "link", "add", "out", "type", "veth", "peer", "name", "eth0", "netns", self.b)
        call("ip", "-n", self.b, "address", "add", f"{OUTSIDE}/24", "dev", "eth0")
        call("ip", "-n", self.b, "link", "set", "eth0", "up")
        call("ip", "-n", self.home, "link", "set", "out", "up")
        if self.has_host_address:
            call("ip", "-n", self.home, "address", "add", f"{GATEWAY}/24", "dev", "out")
        self.build()
        wait_until(f"a ping through {self.name}", self.answers, 20)

    def build(self):
        """Puts an eth0 with a default route into a."""
        raise NotImplementedError

    def answers(self):
        return subprocess.run(inside(self.a, "ping", "-c", "1", "-W", "1", OUTSIDE), check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def has_device(self):
        return subprocess.run(["ip", "-n", self.a, "link", "show", "eth0"], check=False, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0

    def pids(self):
        return [pid for process in self.processes for pid in descendants(process.pid)]

    def spawn(self, *argv, **options):
        process = self.run.start(self.home, *argv, **options)
        self.processes.append(process)
        return process

    def set_inside(self, gateway):
        call("ip", "-n", self.a, "address", "add", "10.99.0.1/24", "dev", "eth0")
        call("ip", "-n", self.a, "link", "set", "eth0", "up")
        call("ip", "-n", self.a, "route", "add", "default", "via", gateway)


class Kernel(Way):
    """A veth pair on each side, routing, masquerade by nftables."""

    name = "kernel"

    def build(self):
        call("ip", "-n", self.home, "link", "add", "in", "type", "veth", "peer", "name", "eth0", "netns", self.a)
        call("ip", "-n", self.home, "address", "add", "10.99.0.254/24", "dev", "in")
        call("ip", "-n", self.home, "link", "set", "in", "up")
        call(*inside(self.home, "sysctl", "-qw", "net.ipv4.ip_forward=1"))
        call(*inside(self.home, "nft", "add table ip t; add chain ip t c { type nat hook postrouting priority 100; }; "
                                       "add rule ip t c oifname out masquerade"))
        self.set_inside("10.99.0.254")


class Vfab(Way):
    """vfabd with the container's tap on a NAT network."""

    uplink = {}

    def build(self):
        conf = {"networks": {"n": {"mode": "nat", "ipv4": "10.99.0.0/24", "gateway": "10.99.0.254", "uplink": "wan"}},
                "uplinks": {"wan": self.uplink},
                "ports": {"a": {"tap": "eth0", "netns": self.a, "network": "n"}}}
        socket = self.run.path("vfab.sock")
        with open(self.run.path("nat.yaml"), "w", encoding="ascii") as out:
            json.dump(conf, out)  # JSON is YAML
        process = self.spawn(f"{BUILD}/vfabd", "-c", self.run.path("nat.yaml"), "-s", socket, "--state",
                             self.run.path("state"))
        wait_until("vfabd", lambda: process.poll() is not None or os.path.exists(socket))
        wait_until("the tap", lambda: process.poll() is not None or self.has_device())
        if process.poll() is not None:
            raise Failed(f"vfabd ended with status {process.returncode}")
        self.set_inside("10.99.0.254")


class VfabInterface(Vfab):
    name = "vfab"
    has_host_address = False
    uplink = {"kind": "interface", "interface": "out", "address": f"{GATEWAY}/24"}


class VfabHost(Vfab):
    name = "vfab-host"
    uplink = {"kind": "host"}


class Pasta(Way):
    """passt's pasta: sockets of the host on behalf of the container's namespace."""

    name = "pasta"

    def build(self):
        # Not by b: what it is told of the default gateway pasta takes for the host's loopback.
        call("ip", "-n", self.home, "route", "add", "default", "via", "10.98.0.9")
        self.spawn("pasta", "--foreground", "--runas", "0", "--config-net", "-I", "eth0", "-i", "out", "--netns",
                   f"/run/netns/{self.a}", "-t", "none", "-u", "none", "-T", "none", "-U", "none")

    def answers(self):
        return "10.98.0.1" in call("ip", "-n", self.a, "address")  # pings need more of the host than it has here


class Slirp(Way):
    """slirp4netns with the large MTU that its users are told to take."""

    name = "slirp4netns"

    def build(self):
        call("ip", "-n", self.home, "route", "add", "default", "via", OUTSIDE)
        self.spawn("slirp4netns", "--configure", "--mtu=65520", "--netns-type=path", f"/run/netns/{self.a}", "eth0")


WAYS = (VfabInterface, VfabHost, Kernel, Pasta, Slirp)
