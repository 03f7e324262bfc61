#!/usr/bin/env python3
"""run.py - runs the benchmark programs and writes what they measured.

Usage: bench/run.py --build DIR --out FILE [--runs N] [NAME...]

Each program says figures as JSON lines; it runs several times, in turn with its peer where it has one, and the
median counts. FILE becomes a list of {name, value, unit, goal, peer, peer_value, ratio}: `goal` is
what we want ("<= 25"), `peer` the program measured beside it in the same run, `ratio` how many times better
(always: above 1 is better for us), the median of what each run says: the machine's moods meet both. A figure that could not be had has value null and says why in `note`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

# What we promise of each figure: (name, goal).
GOALS = {
    "forward_warm_1_flow": "<= 25",
    "forward_warm_10000_flows": "<= 25",
    "forward_cold_1_flow": "<= 40",
    "forward_cold_10000_flows": "<= 40",
    "chain_packet_hops": ">= 6",
    "stacks_10000_build": "<= 1",
    "stack_memory": "<= 32",
}
# Who is measured beside whom: the peer's figure that a figure is compared with.
PEERS = {name: ("kernel_forward", "Linux kernel, veth to veth") for name in GOALS if name.startswith("forward_")}
for run in ("warm_1_flow", "warm_10000_flows", "cold_1_flow", "cold_10000_flows"):
    PEERS["forward6_" + run] = ("forward4_" + run, "IPv4 with the same payload")
    GOALS["forward6_" + run] = "ratio >= 0.8"  # at most 1.25 times IPv4's cost
for run in ("warm_1_station", "warm_1000_stations", "cold_1_station", "cold_1000_stations"):
    PEERS["bridge_" + run] = ("kernel_bridge", "Linux bridge, veth to veth")
for flows in ("1000", "100000", "1000000"):
    PEERS["flow4_" + flows] = ("rte_hash_" + flows, "DPDK rte_hash, bulk")
    PEERS["flow6_" + flows] = ("flow6_" + flows + "_fib_full", "full FIB without the cache")
GOALS["flow4_1000000"] = GOALS["flow6_1000000"] = "<= 25"
GOALS.update({
    "forward_full_table": "<= 45",
    "fib4_uniform": "ratio >= 1.5",
    "fib4_in_prefixes": "ratio >= 0.8",
    "fib4_memory": "<= 8",
    "fib4_load": "<= 0.5",
    "fib4_load_bulk": "<= 0.15",
    "fib4_changes": ">= 500000",
    "fib4_changes_beside": ">= 500000",
    "fib4_changes_lookup_loss": "<= 10",
    "fib4_direct_memory": "<= 40",
    "fib6_changes": ">= 500000",
    "rib4_load": "<= 0.5",
})
GOALS.update({
    "state_hit_64000": "<= 25",
    "state_new": ">= 500000",
    "states_1M": ">= 1000000",
    "states_1M_memory": "<= 160",
})
GOALS.update({
    "dummynet_10000_pipes": ">= 2",  # Mpps
    "dummynet_10000_pipes_delay": ">= 2",
    "dummynet_idle_pipe": "<= 1024",
})
for trace in ("uniform", "in_prefixes", "zipf"):
    GOALS["fib4_direct_" + trace] = GOALS["fib6_" + trace] = "ratio >= 1"
    for ours in ("fib4_", "fib4_direct_"):
        PEERS[ours + trace] = ("rte_fib_" + trace, "DPDK rte_fib, best variant")
    GOALS["fib_stacks_" + trace] = "ratio >= 3"
    PEERS["fib_stacks_" + trace] = ("rte_fib_stacks_" + trace, "DPDK rte_fib, as many tables as fit")
    PEERS["fib6_" + trace] = ("rte_fib6_" + trace, "DPDK rte_fib6, best variant")
SETS = [(rules, size) for rules in ("acl1", "fw1", "ipc1") for size in ("100", "1k", "10k")]
for rules, size in SETS:
    name = f"{rules}_{size}"
    GOALS["compile_" + name] = "<= 100"
    PEERS["match_" + name] = ("rte_acl_" + name, "DPDK rte_acl, best method")
    PEERS["compile_" + name] = ("rte_acl_compile_" + name, "DPDK rte_acl")
    if size == "10k":
        GOALS["match_" + name] = "ratio >= 1"
        GOALS["change_" + name] = "<= 1000"
        GOALS["forward_" + name] = "ratio >= 0.5"  # at most twice the cost of 100 rules
        PEERS["forward_" + name] = ("forward_" + rules + "_100", "100 rules")
for size in ("100", "1k"):
    PEERS["forward_acl1_" + size] = ("nft_forward_acl1_" + size, "nft, the same rules, veth to veth")
GOALS["forward_acl1_1k"] = "ratio >= 300"
GOALS["linear"] = "<= 5"
for size in ("100", "10k", "60k"):
    GOALS["wait_" + size] = "<= 100"  # us; what is left of it is the machine's
    PEERS["wait_" + size] = ("wait_quiet_" + size, "the same rules, unchanged")
# Nanoseconds above a null scheduler.
for flows in ("1", "10", "1000", "32000"):
    for traffic in ("", "_bursts"):
        GOALS.update({f"sched_{part}_{flows}{traffic}": f"<= {goal}"
                      for part, goal in (("fifo", 2), ("rr", 6), ("qfq", 12))})
        GOALS[f"sched_wf2q_{flows}{traffic}"] = "<= 200" if flows == "32000" else "<= 45"
PROGRAMS = ["forward", "kernel_forward", "bridge", "kernel_bridge", "chain", "dummynet", "stacks", "fib", "fib_dpdk",
            "fib_changes", "fib_stacks", "fib_stacks_dpdk", "flowtable", "flowtable_dpdk", "ipfw", "ipfw_dpdk",
            "ipfw_nft", "ipfw_state", "ipfw_table", "ipfw_wait", "sched"]
SKIPPED = 77  # exit status
HERE = os.path.dirname(os.path.abspath(__file__))


class Skipped(Exception):
    """What the program needs is not on this machine: no failure."""


def figures(command):
    """Run a command, return {name: (value, unit)}; raises RuntimeError with its last words."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode == SKIPPED:
        raise Skipped((done.stderr or "not here").strip())
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise RuntimeError(words[-1] if words else f"exit status {done.returncode}")
    found = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            item = json.loads(line)
            found[item["name"]] = (item["value"], item["unit"])
    return found


def command_of(program, build):
    binary = os.path.join(build, "bench", "bench_" + program)
    if program.endswith("_dpdk") and not os.path.exists(binary):
        raise Skipped("built without libdpdk")
    if program == "kernel_forward":
        return [os.path.join(HERE, "kernel_forward.sh"), os.path.abspath(binary)]
    if program == "kernel_bridge":
        kernel_forward = os.path.join(build, "bench", "bench_kernel_forward")
        return [os.path.join(HERE, "kernel_forward.sh"), os.path.abspath(kernel_forward), "bridge"]
    if program == "ipfw_nft":
        kernel_forward = os.path.join(build, "bench", "bench_kernel_forward")
        return [os.path.join(HERE, "ipfw_nft.sh"), os.path.abspath(kernel_forward)]
    return [binary]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--out", default="build/bench.json")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("names", nargs="*", help="programs: " + " ".join(PROGRAMS))
    options = parser.parse_args()
    wanted = options.names or PROGRAMS
    for name in wanted:
        if name not in PROGRAMS:
            sys.exit(f"bench: no benchmark '{name}' (there are: {' '.join(PROGRAMS)})")
    for ours in ("forward", "bridge"):
        if ours in wanted and "kernel_" + ours not in wanted:
            wanted.append("kernel_" + ours)

    samples, units, notes, skipped = {}, {}, {}, {}
    for _ in range(options.runs):
        for program in wanted:
            try:
                for name, (value, unit) in figures(command_of(program, options.build)).items():
                    samples.setdefault(name, []).append(value)
                    units[name] = unit
            except Skipped as why:
                skipped[program] = str(why)
            except (RuntimeError, OSError, subprocess.TimeoutExpired) as why:
                notes[program] = str(why)

    medians = {name: statistics.median(values) for name, values in samples.items()}
    rows = []
    for name, value in medians.items():
        row = {"name": name, "value": value, "unit": units[name], "goal": GOALS.get(name),
               "peer": None, "peer_value": None, "ratio": None,
               "min": min(samples[name]), "max": max(samples[name]), "runs": len(samples[name])}
        figure, peer = PEERS.get(name, (None, None))
        if figure in medians:
            ratios = [theirs / ours for theirs, ours in zip(samples[figure], samples[name])]
            row.update(peer=peer, peer_value=medians[figure], ratio=round(statistics.median(ratios), 2))
        rows.append(row)
    for program, why in notes.items():
        rows.append({"name": program, "value": None, "unit": None, "goal": None, "peer": None,
                     "peer_value": None, "ratio": None, "note": why})
    for program, why in skipped.items():
        print(f"{program:28} skipped: {why}")
    with open(options.out, "w", encoding="utf-8") as out:
        json.dump(rows, out, indent=1)
        out.write("\n")
    for row in rows:
        if row["value"] is None:
            print(f"{row['name']:28} failed: {row['note']}")
            continue
        beside = f"  {row['ratio']} times {row['peer']} ({row['peer_value']:.0f})" if row["ratio"] else ""
        print(f"{row['name']:28} {row['value']:10.2f} {row['unit']:10} goal {row['goal'] or '-'}{beside}")
    sys.exit(1 if notes else 0)


if __name__ == "__main__":
    main()
