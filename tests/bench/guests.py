# SPDX-License-Identifier: GPL-2.0-or-later
"""The switches that are measured between vhost-user guests: each with its data thread on SWITCH_CPU.

             guest 0 --- [ switch ] --- guest 1          all guests are one thread of vhost_load, on LOAD_CPU

A switch that polls would take the CPU from the others: it is stopped (SIGSTOP) while another has its turn.
"""

import contextlib
import glob
import itertools
import os
import signal
import subprocess
import time

from peers import Fabric
from places import Failed, call, descendants, wait_until

SWITCH_CPU, LOAD_CPU = (int(cpu) for cpu in os.environ.get("BENCH_CPUS", "0,1").split(","))
TRUNK_VID = 10
HUGE_PAGES = "/proc/sys/vm/nr_hugepages"
POLLS_NS = 200_000_000  # on a CPU: it has begun


def ran_ns(thread):
    with open(f"/proc/{thread}/schedstat", encoding="ascii") as stat:
        return int(stat.read().split()[0])


class Switch:
    """One switch with vhost-user ports; guest i is at sockets[i]."""

    name = ""
    load_options = ()  # what the load must know of it
    polls = True
    count = itertools.count()

    def __init__(self, run, guests=2, trunks=()):
        self.run = run
        self.home = run.namespace(f"{self.name}{next(Switch.count)}")
        self.guests = guests
        self.trunks = trunks  # guests behind a trunk
        self.place = run.path(self.name)
        os.mkdir(self.place)
        self.sockets = [os.path.join(self.place, f"{i}.sock") for i in range(guests)]
        self.process = None
        self.build()
        self.threads = self.data_threads()
        self.pause()

    def build(self):
        """Starts it; self.process is what polls."""
        raise NotImplementedError

    def data_threads(self):
        found = self.find_threads()
        if not found:
            raise Failed(f"{self.name}: no thread is on CPU {SWITCH_CPU}")
        return found

    def find_threads(self):
        """Those that may run on SWITCH_CPU only."""
        found = []
        for pid in descendants(self.process.pid):
            for status in glob.glob(f"/proc/{pid}/task/*/status"):
                with open(status, encoding="ascii") as lines:
                    if f"Cpus_allowed_list:\t{SWITCH_CPU}\n" in lines:
                        found.append(int(status.split("/")[4]))
        return found

    def pause(self):
        if self.polls:
            self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        if self.polls:
            self.process.send_signal(signal.SIGCONT)
            # The guest of its last turn is gone; it has to know that before the next one comes.
            time.sleep(0.2)


class Testpmd(Switch):
    """testpmd with the vhost driver of DPDK, from port to port: decides nothing."""

    name = "testpmd"

    def build(self):
        if self.guests != 2 or self.trunks:
            raise Failed("testpmd joins two guests")
        devices = [word for i, path in enumerate(self.sockets)
                   for word in ("--vdev", f"net_vhost{i},iface={path},queues=1")]
        self.process = self.run.start(
            self.home, "dpdk-testpmd", "-l", f"{SWITCH_CPU},{LOAD_CPU}", "--main-lcore", LOAD_CPU, "--in-memory",
            "-m", "256", "--no-pci", "--no-telemetry", *devices, "--", "--forward-mode=io", "--nb-cores=1",
            "--auto-start", "--disable-link-check", "--total-num-mbufs=32768", "--no-lsc-interrupt", "--rxd=1024",
            "--txd=1024")
        wait_until("testpmd", self.is_forwarding, seconds=20)

    def is_forwarding(self):
        """Its data thread polls."""
        if self.process.poll() is not None:
            raise Failed(f"dpdk-testpmd ended with status {self.process.returncode}")
        return any(ran_ns(thread) > POLLS_NS for thread in self.find_threads())


class OvsDpdk(Switch):
    """Open vSwitch with DPDK, learning (NORMAL), in a private directory.  Its ports connect: the load listens."""

    name = "ovs"
    load_options = ("--listen",)

    def build(self):
        socket = f"unix:{self.place}/db.sock"
        here = dict(os.environ, OVS_RUNDIR=self.place, OVS_LOGDIR=self.place)
        call("ovsdb-tool", "create", f"{self.place}/conf.db", "/usr/share/openvswitch/vswitch.ovsschema")
        self.run.start(self.home, "ovsdb-server", f"{self.place}/conf.db", f"--remote=p{socket}",
                       f"--unixctl={self.place}/db.ctl", env=here)
        wait_until("ovsdb-server", lambda: os.path.exists(f"{self.place}/db.sock"))

        def configure(*words, wait=False):
            call("ovs-vsctl", "--timeout=30", f"--db={socket}", *([] if wait else ["--no-wait"]), *words, env=here,
                 timeout=40)

        configure("--", "init", "--", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                  "other_config:dpdk-extra=--in-memory --no-pci --no-telemetry", "other_config:dpdk-socket-mem=512",
                  f"other_config:dpdk-lcore-mask={1 << LOAD_CPU:#x}", f"other_config:pmd-cpu-mask={1 << SWITCH_CPU:#x}")
        self.process = self.run.start(self.home, "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk", socket,
                                      f"--unixctl={self.place}/switch.ctl", "--disable-system",
                                      "--disable-system-route", f"--log-file={self.place}/switch.log", env=here)
        configure("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev", wait=True)
        for i, path in enumerate(self.sockets):
            vlan = [f"trunks={TRUNK_VID}"] if i in self.trunks else [f"tag={TRUNK_VID}"] if self.trunks else []
            configure("add-port", "br0", f"g{i}", *vlan, "--", "set", "interface", f"g{i}", "type=dpdkvhostuserclient",
                      f"options:vhost-server-path={path}", wait=True)


class VfabGuests(Switch):
    """vfabd with one worker."""

    name = "vfab"
    polls = False  # it rests while nothing comes

    def build(self):
        ports = {}
        for i, path in enumerate(self.sockets):
            ports[f"g{i}"] = {"vhost-user": path}
            ports[f"g{i}"].update({"vlan-mode": "trunk", "trunks": [TRUNK_VID]} if i in self.trunks
                                  else {"network": "n"})
        fabric = GuestFabric(self.run, self.home, ports, workers={"cpus": [SWITCH_CPU]})
        self.process = fabric.process


class GuestFabric(Fabric):
    """Ports wait for their guests: up is when all can connect."""

    def __init__(self, run, home, ports, workers):
        self.sockets = [port["vhost-user"] for port in ports.values()]
        super().__init__(run, home, ports, workers)

    def is_up(self):
        if self.process.poll() is not None:
            raise Failed(f"vfabd ended with status {self.process.returncode}")
        return all(os.path.exists(path) for path in self.sockets)


@contextlib.contextmanager
def huge_pages(megabytes):
    """So much memory in huge pages above what is free, for the peers that need it; gone again afterwards."""
    with open(HUGE_PAGES, encoding="ascii") as pages:
        before = int(pages.read())

    def free():
        with open("/proc/meminfo", encoding="ascii") as lines:
            values = dict(line.split(":") for line in lines)
        return int(values["HugePages_Free"]), int(values["Hugepagesize"].split()[0])

    wanted = megabytes * 1024 // free()[1]
    try:
        set_huge_pages(before + max(0, wanted - free()[0]))
        if free()[0] < wanted:
            raise Failed(f"only {free()[0]} of {wanted} huge pages are to be had")
        yield
    finally:
        set_huge_pages(before)


def set_huge_pages(count):
    subprocess.run(["sysctl", "-qw", f"vm.nr_hugepages={count}"], check=False)
