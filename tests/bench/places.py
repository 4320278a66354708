# SPDX-License-Identifier: GPL-2.0-or-later
"""Namespaces and processes of a run, and the way back: whatever is made here is undone at the end, last first."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time


class Failed(Exception):
    """Something could not be set up or measured."""


def call(*argv, timeout=20, check=True, **options):
    """Runs a command to its end and returns what it printed."""
    try:
        done = subprocess.run([str(a) for a in argv], timeout=timeout, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(str(error)) from error
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(map(str, argv))}: status {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout


def wait_until(what, question, seconds=10.0):
    end = time.monotonic() + seconds
    while not question():
        if time.monotonic() > end:
            raise Failed(f"in vain waited for {what}")
        time.sleep(0.02)


class Run:
    """A private directory, namespaces that carry this process' id, and processes."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.directory = tempfile.mkdtemp(prefix="vfab-bench.")
        self.stack.callback(shutil.rmtree, self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        # A second Ctrl-C must not stop the way back.
        old = signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.stack.close()
        signal.signal(signal.SIGINT, old)

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def namespace(self, name):
        full = f"vb{os.getpid()}-{name}"
        call("ip", "netns", "add", full)
        self.stack.callback(call, "ip", "netns", "del", full, check=False)
        path = f"/run/netns/{full}"
        call("nsenter", f"--net={path}", "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
             "net.ipv6.conf.default.disable_ipv6=1")
        call("ip", "-n", full, "link", "set", "lo", "up")
        return full

    def start(self, namespace, *argv, **options):
        """A process in a namespace until the end; its output goes to a log of its own."""
        log = self.path(f"{os.path.basename(str(argv[0]))}.log")
        with open(log, "ab") as out:
            process = subprocess.Popen(inside(namespace, *argv), stdin=subprocess.PIPE, stdout=out,
                                       stderr=out, **options)
        self.stack.callback(end_process, process)
        return process


def inside(namespace, *argv):
    return ["nsenter", f"--net=/run/netns/{namespace}"] + [str(a) for a in argv]


def end_process(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
    if process.stdin:
        process.stdin.close()


class Quiet:
    """Waits until the CPUs have rested a little: what else runs here comes and goes.  A machine that is never quiet
    is measured as it is, once QUIET seconds of a run were spent on waiting."""

    def __init__(self):
        self.left_s = float(os.environ.get("QUIET", "60"))

    def wait(self):
        while self.left_s > 0:
            ticks = cpu_ticks()
            time.sleep(0.2)
            idle, total = (after - before for after, before in zip(cpu_ticks(), ticks))
            if idle > 0.85 * total:
                return
            self.left_s -= 0.2


quiet = Quiet()


def cpu_ticks():
    """Of all CPUs: idle, and all."""
    with open("/proc/stat", encoding="ascii") as stat:
        ticks = [int(word) for word in stat.readline().split()[1:9]]
    return ticks[3], sum(ticks)


def descendants(pid):
    """A process and those that it started, and so on."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{parent}/task"):
                with open(f"/proc/{parent}/task/{task}/children", encoding="ascii") as children:
                    found.extend(int(child) for child in children.read().split())
    return found


def cpu_ns(pids):
    """Time on a CPU of all threads: utime and stime, in nanoseconds rather than ticks."""
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as stat:
                total += int(stat.read().split()[0])
    return total


def memory_kb(pids, key):
    """Rss or Pss of some processes."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
            total += sum(int(line.split()[1]) for line in lines if line.startswith(key + ":"))
    return total
