#!/usr/bin/env python3
"""make bench: vmdeck against bare QEMU, both in one run, in turn, so that a slow or noisy machine slows both.
Prints medians and ratios and whether each is within its bar. Nothing here is a timed test: a bar that is
missed is reported, the exit code is 1 only when data was lost or something was left behind."""
import argparse
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "tests" / "bench")]
PARTS = ["boot", "exec", "parallel", "many", "flood", "restore", "healthy", "memory", "pane", "pause", "cycles",
         "rows", "console", "screen", "network", "leftovers"]
ap = argparse.ArgumentParser(description=__doc__)
ap.add_argument("--build", default="build/rel")
ap.add_argument("--only", default=",".join(PARTS), help="some of: %(default)s; or floor: bare QEMU alone")
ap.add_argument("-n", type=int, default=15, help="pairs of boots, of restores, of pauses")
ap.add_argument("--restores", type=int, default=100, help="restores to healthy")
ap.add_argument("--cycles", type=int, default=300, help="snapshot, clone, exec, remove")
ap.add_argument("--networks", type=int, default=200, help="boots and removals of part leftovers, in each mode")
ap.add_argument("--seed", type=int, default=3, help="of the cycles and networks")
args = ap.parse_args()
for part in args.only.split(","):
    if part not in [*PARTS, "floor"]:
        ap.error(f"no part is named '{part}': {', '.join(PARTS)} or floor")
os.environ["DECK_BUILD"] = str((ROOT / args.build).resolve())

from bare import Bare, raw_exec  # noqa: E402
from console import bench_console  # noqa: E402
from decklib import BUILD, Deck, fd_count, wait_for  # noqa: E402
from flood import bench_flood  # noqa: E402
from floor import Floor, bench_floor  # noqa: E402
from lifecycle import bench_cycles, bench_memory, bench_pause  # noqa: E402
from measure import HEAD, check, medians, ms, pair_ratio, row, rpc_exec, spawn_wait, timed  # noqa: E402
from network import bench_leftovers, bench_network  # noqa: E402
from pane import bench_pane  # noqa: E402
from restore import bench_healthy, bench_restore  # noqa: E402
from rows import bench_rows  # noqa: E402
from screen import bench_screen  # noqa: E402

TRUE = "/bin/true"


def bench_boot(deck, model, folder):
    def bare_boot():
        bare.start(BUILD / "vmdeck-vsock.so")
        bare.hello()
        raw_exec(bare.vsock, [TRUE])

    def deck_boot():
        spawn_wait(deck, "boot", "-q", "--name", "b")
        spawn_wait(deck, "exec", "b", "--", TRUE)

    pairs = []
    for n in range(args.n):
        bare, took = Bare(model, folder), {}
        for fn in (bare_boot, deck_boot) if n % 2 else (deck_boot, bare_boot):
            took[fn] = timed(fn)
        bare.stop()
        deck.run("rm", "-f", "b")
        pairs.append((took[bare_boot], took[deck_boot]))
    a, b = medians(pairs)
    row(f"boot to first exec answer, bare QEMU (n={args.n})", ms(a))
    row("boot to first exec answer, vmdeck boot + vmdeck exec", ms(b), pair_ratio(pairs), 1.15)


def bench_exec(deck, model, n=300):
    pairs = [(timed(lambda: raw_exec(model["vsock_path"], [TRUE])),
              timed(lambda: spawn_wait(deck, "exec", "model", "--", TRUE))) for _ in range(n)]
    a, b = medians(pairs)
    row(f"exec of true, raw over the socket (n={n})", ms(a))
    row("exec of true, vmdeck exec, whole process", ms(b), b / a, 1.5)


def bench_parallel(deck, rounds=20, width=10):
    """None over 2 x a single one x width / cores; the single ones are measured between the rounds."""
    def one():
        times.append(timed(lambda: spawn_wait(deck, "exec", "model", "--", TRUE)))

    singles, worst = [], []
    for _ in range(rounds):
        times = []
        for _ in range(5):
            one()
        singles += times
        times = []
        threads = [threading.Thread(target=one) for _ in range(width)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        worst.append(max(times))
    limit = 2 * statistics.median(singles) * width / os.cpu_count()
    for name, value in (("median", statistics.median(worst)), ("slowest", max(worst))):
        row(f"{width} parallel execs, the last one, {name} of {rounds} rounds", f"{ms(value)} of {ms(limit)}",
            value / limit, 1)


def bench_many(deck, model, n=1000):
    """True when no answer was lost."""
    daemon = deck.daemon_pid()

    def fds():
        agent = rpc_exec(deck, "model", ["sh", "-c", "ls /proc/1/fd | wc -l"])[1]
        return fd_count(daemon), fd_count(model["pid"]), int(agent)

    rpc_exec(deck, "model", ["true"])
    before = fds()
    bad = sum(rpc_exec(deck, "model", ["echo", str(i)]) != (0, f"{i}\n".encode()) for i in range(n))
    # The last connection's end is on its way through three programs.
    wait_for("descriptors back to where they were", lambda: all(a <= b for a, b in zip(fds(), before)), 20)
    check(f"{n} execs in a row: lost", str(bad), not bad)
    check("descriptors of daemon, VMM, agent: as before", " ".join(map(str, before)), True)
    return not bad


def main():
    if args.only == "console":  # needs no VM
        print(f"vmdeck bench: {os.cpu_count()} cores (load {os.getloadavg()[0]:.1f})\n{HEAD}", flush=True)
        bench_console()
        return 0
    deck = Deck()
    folder = tempfile.mkdtemp(prefix="bare-")
    floor, good = Floor(deck), True
    try:
        model = deck.boot("model")
        parts = {
            "boot": lambda: bench_boot(deck, model, folder),
            "exec": lambda: bench_exec(deck, model),
            "parallel": lambda: bench_parallel(deck),
            "many": lambda: bench_many(deck, model),
            "flood": lambda: bench_flood(deck),
            "floor": lambda: bench_floor(floor, args.n),
            "restore": lambda: bench_restore(deck, floor, args.n),
            "healthy": lambda: bench_healthy(deck, floor, args.restores),
            "memory": lambda: bench_memory(deck),
            "pane": bench_pane,
            "pause": lambda: bench_pause(deck, floor, args.n),
            "cycles": lambda: bench_cycles(deck, args.cycles, args.seed),
            "rows": bench_rows,
            "console": bench_console,
            "screen": lambda: bench_screen(deck),
            "network": lambda: bench_network(args.n),
            "leftovers": lambda: bench_leftovers(args.networks, args.seed),
        }
        print(f"vmdeck bench: {os.cpu_count()} cores (load {os.getloadavg()[0]:.1f}), {model['vmm']} "
              f"{model['version']} ({model['accel']}), {model['mem_mib']} MiB\n{HEAD}", flush=True)
        for name in args.only.split(","):
            good &= parts[name]() is not False
    finally:
        floor.close()
        deck.close()
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if good else 1


sys.exit(main())
