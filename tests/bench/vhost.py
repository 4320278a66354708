# SPDX-License-Identifier: GPL-2.0-or-later
"""vhost-user ports beside their peers: frames a second, and busy cycles of the switch a frame.

Two CPUs of a virtual machine come closer and go apart by themselves, and every figure here with them: the distance is
probed before and after each sample (ping_pong), the peers take turns in short samples, and only samples of one class are
compared.  A sample is void when the class changed, when something else ran on either CPU, or when the load
was what limited.

Cycles a frame = share of a CPU that the data threads were on (their schedstat, over the measured time) x TSC frequency
(measured) / frames received a second.  While the switch is saturated all of that time is work, also for one that polls.
"""

import os
import statistics
import subprocess

from guests import LOAD_CPU, SWITCH_CPU, OvsDpdk, Testpmd, VfabGuests, huge_pages
from peers import BUILD
from places import Failed, Run, call, quiet

ROUNDS = int(os.environ.get("ROUNDS", "7"))
ATTEMPTS = 3  # at a sample, while it is void
SECONDS = 0.4
WAITED_MAX = 0.01
SWITCH_CPU_MIN = 0.97
FULL_MIN = 0.5
GUESTS = 8
IDLE_SECONDS = 20


class Copy:
    """No switch: the least that any must do, by a thread of the load."""

    name = "copy"
    polls = False

    def __init__(self, run, guests=2, trunks=()):
        if guests != 2 or trunks:
            raise Failed("two guests are copied")
        del run

    def pause(self):
        pass

    resume = pause


class Scenario:
    """What is compared: (kind, its options, names to print) of both, what the load does, and how to judge."""

    def __init__(self, name, ours, theirs, load, judge, mark):
        self.name, self.sides, self.load, self.judge, self.mark = name, (ours, theirs), load, judge, mark


def of(kind, label=None, **options):
    return kind, label or kind.name, options


def mpps_ratio(ours, theirs):
    return "mpps", ours["mpps"] / theirs["mpps"]


def cycles_ratio(ours, theirs):
    return "cycles", ours["cycles"] / theirs["cycles"]


# The marks are those of SPECIFICATION.md: at least for mpps, at most for cycles.
SCENARIOS = (
    Scenario("64-split", of(VfabGuests), of(Testpmd), (), mpps_ratio, 2.2),
    Scenario("64-packed", of(VfabGuests), of(Testpmd), ("--packed",), mpps_ratio, 1.3),
    Scenario("64-normal", of(VfabGuests), of(OvsDpdk), (), mpps_ratio, 4),
    Scenario("64-vlan-2048", of(VfabGuests, trunks=(1,)), of(OvsDpdk, trunks=(1,)),
             ("-n", "2048", "--tag", "1=10"), mpps_ratio, 4),
    Scenario("1518", of(VfabGuests), of(Testpmd), ("--size", "1518"), mpps_ratio, 1.9),
    Scenario("64-8-ports", of(VfabGuests, "vfab-8", guests=GUESTS), of(VfabGuests, "vfab-2"), (), cycles_ratio, 1.4),
    Scenario("64k-tso", of(VfabGuests), of(Copy), ("--tso",), cycles_ratio, 1.3),
)


def words(line):
    return dict(word.split("=", 1) for word in line.split())


def probe():
    """The class of the distance between the two CPUs, and its cycles."""
    seen = words(call(f"{BUILD}/tests/bench/ping_pong", LOAD_CPU, SWITCH_CPU, timeout=60))
    return seen["class"], int(seen["cycles"])


def run_load(switch, options):
    argv = [f"{BUILD}/tests/bench/vhost_load", "--cpu", LOAD_CPU, "--seconds", SECONDS, "--fifo", *options]
    if isinstance(switch, Copy):
        argv += ["--copy", SWITCH_CPU]
    else:
        argv += ["--watch", ",".join(map(str, switch.threads)), *switch.load_options, *switch.sockets]
    return words(call(*argv, timeout=60))


def sample(switch, options):
    """One measurement with its class, or why it is void."""
    quiet.wait()
    before = probe()
    switch.resume()
    try:
        got = run_load(switch, options)
    finally:
        switch.pause()
    after = probe()
    if float(got["mpps"]) == 0:
        return None, "no frame came"
    if before[0] != after[0] or before[0] == "busy":
        return None, f"class {before[0]} to {after[0]}"
    if float(got["waited"]) > WAITED_MAX or float(got.get("switch_cpu", 1)) < SWITCH_CPU_MIN and switch.polls:
        return None, f"waited {got['waited']}, switch had {got.get('switch_cpu', 1)}"
    values = {key: float(got[key]) for key in ("mpps", "gen_busy", "full", "tsc_mhz")}
    values["class"] = before[0]
    values["probe"] = (before[1] + after[1]) / 2
    values["switch_cpu"] = float(got.get("switch_cpu", 1))
    values["cycles"] = float(got.get("cycles", values["switch_cpu"] * values["tsc_mhz"] / values["mpps"]))
    return values, ""


def sample_or_void(show, scenario, label, switch, options):
    for _ in range(ATTEMPTS):
        values, why = sample(switch, options)
        if values:
            return values
        show("vhost", scenario=scenario.name, peer=label, void=why.replace(" ", "_"))
    return None


def show_side(show, scenario, label, samples):
    for kind in sorted({s["class"] for s in samples}):
        of_class = [s for s in samples if s["class"] == kind]
        line = {key: f"{statistics.median(s[key] for s in of_class):.{digits}f}"
                for key, digits in (("mpps", 3), ("cycles", 1), ("switch_cpu", 3), ("gen_busy", 3), ("full", 3),
                                    ("probe", 0), ("tsc_mhz", 1))}
        limit = "switch" if float(line["full"]) >= FULL_MIN else "load"
        show("vhost", scenario=scenario.name, peer=label, **{"class": kind}, **line,
             cycles_low=f"{min(s['cycles'] for s in of_class):.1f}",
             cycles_high=f"{max(s['cycles'] for s in of_class):.1f}", limit=limit, samples=len(of_class))


def run_scenario(show, scenario):
    labels = [label for _, label, _ in scenario.sides]
    rounds = []
    with Run() as run:
        switches = [kind(run.stack.enter_context(Run()), **options) for kind, _, options in scenario.sides]
        for switch in switches:  # not counted: caches, tables
            sample(switch, scenario.load)
        for turn in range(ROUNDS):
            pair = {}
            for i in (0, 1) if turn % 2 == 0 else (1, 0):
                pair[i] = sample_or_void(show, scenario, labels[i], switches[i], scenario.load)
            rounds.append((pair[0], pair[1]))
    for i in 0, 1:
        show_side(show, scenario, labels[i], [pair[i] for pair in rounds if pair[i]])
    pairs = [pair for pair in rounds if all(pair) and pair[0]["class"] == pair[1]["class"]]
    if not pairs:
        raise Failed(f"{scenario.name}: no two samples of one class")
    for kind in sorted({pair[0]["class"] for pair in pairs}):
        judged = [scenario.judge(*pair) for pair in pairs if pair[0]["class"] == kind]
        ratios = [ratio for _, ratio in judged]
        show("vhost", scenario=scenario.name, ratio="/".join(labels), what=judged[0][0], **{"class": kind},
             median=f"{statistics.median(ratios):.3f}", low=f"{min(ratios):.3f}", high=f"{max(ratios):.3f}",
             mark=("at_least_" if judged[0][0] == "mpps" else "at_most_") + str(scenario.mark), rounds=len(ratios))


def show_idle(show):
    """Guests that are silent: what the switch costs then, and how soon it has the first frame of one (vhost_wake.c)."""
    with Run() as run:
        switch = VfabGuests(run, guests=GUESTS)
        switch.resume()
        pids = subprocess.run(["pgrep", "-P", str(switch.process.pid)], capture_output=True, text=True, check=False).stdout.split()
        quiet.wait()
        got = words(call(f"{BUILD}/tests/bench/vhost_wake", LOAD_CPU, SWITCH_CPU, IDLE_SECONDS,
                         ",".join([str(switch.process.pid), *pids]), *switch.sockets, timeout=120))
        show("vhost", scenario="idle-8", **got, mark="idle_under_0.1_and_above_us_at_most_15")


def show_instructions(show):
    """Of the whole path from one guest's memory into another's, counted; whatever else the machine does."""
    for ring in "split", "packed":
        got = call("tests/bench/instructions.sh", ring, timeout=300)
        show("vhost", scenario="instructions", **words(got))


def bench_vhost(show):
    """VHOST="64-split 1518 idle-8" runs those only."""
    names = os.environ.get("VHOST", "").split()
    failed = []
    for name, run in ("idle-8", show_idle), ("instructions", show_instructions):
        if not names or name in names:
            run(show)
    with huge_pages(1024):
        for scenario in SCENARIOS:
            if names and scenario.name not in names:
                continue
            try:
                run_scenario(show, scenario)
            except Failed as why:
                failed.append(str(why))
    if failed:
        raise Failed("; ".join(failed))
