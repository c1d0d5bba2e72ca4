#!/usr/bin/env python3
"""make bench: vmdeck against bare QEMU, both in one run, in turn, so that a slow or noisy machine slows both.
Prints medians and ratios and whether each is within its bar. Nothing here is a timed test: a bar that is
missed is reported, the exit code is 1 only when data was lost."""
import argparse
import hashlib
import os
import pathlib
import statistics
import struct
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "tests" / "bench")]
ap = argparse.ArgumentParser(description=__doc__)
ap.add_argument("--build", default="build/rel")
ap.add_argument("--only", default="", help="boot, exec, parallel, many, flood")
ap.add_argument("-n", type=int, default=15, help="pairs of boots")
args = ap.parse_args()
os.environ["DECK_BUILD"] = str((ROOT / args.build).resolve())

from bare import Bare, raw_exec  # noqa: E402
from decklib import BUILD, Deck, Frames, fd_count  # noqa: E402

MB = 1 << 20
FLOOD_MB = 200
lost = []


def ms(seconds):
    return f"{seconds * 1e3:.1f} ms"


def row(name, value, bar=None, ratio=None):
    verdict = "" if bar is None else ("  ok" if ratio <= bar else f"  MISSED (bar {bar})")
    print(f"  {name:58} {value}{verdict}", flush=True)


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p / 100))]


def timed(fn):
    start = time.perf_counter()
    fn()
    return time.perf_counter() - start


def spawn_wait(deck, *argv):
    """Whole process, from spawn to exit, with as little of this program around it as can be."""
    null = os.open("/dev/null", os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, n) for n in (0, 1)]
    pid = os.posix_spawn(str(BUILD / "vmdeck"), ["vmdeck", *argv], deck.env, file_actions=actions)
    _, status = os.waitpid(pid, 0)
    os.close(null)
    if status != 0:
        raise AssertionError(f"vmdeck {argv}: status {status}")


def bench_boot(deck, model):
    bare_times, deck_times = [], []
    folder = tempfile.mkdtemp(prefix="bare-")
    for n in range(args.n):
        bare = Bare(model, folder)

        def bare_boot():
            bare.start(BUILD / "vmdeck-vsock.so")
            bare.hello()
            raw_exec(bare.vsock, ["/bin/true"])

        def deck_boot():
            spawn_wait(deck, "boot", "-q", "--name", f"b{n}")
            spawn_wait(deck, "exec", f"b{n}", "--", "/bin/true")

        bare_times.append(timed(bare_boot))
        bare.stop()
        deck_times.append(timed(deck_boot))
        deck.run("rm", "-f", f"b{n}")
    a, b = statistics.median(bare_times), statistics.median(deck_times)
    row("boot to first exec answer, bare QEMU", ms(a))
    row("boot to first exec answer, vmdeck boot + exec", f"{ms(b)}  x{b / a:.2f}", 1.15, b / a)


def bench_exec(deck, model, n=200):
    raw, whole = [], []
    for _ in range(n):
        raw.append(timed(lambda: raw_exec(model["vsock_path"], ["/bin/true"])))
        whole.append(timed(lambda: spawn_wait(deck, "exec", "model", "--", "/bin/true")))
    a, b = statistics.median(raw), statistics.median(whole)
    row(f"exec of true, raw over the socket (n={n})", ms(a))
    row("exec of true, vmdeck exec, whole process", f"{ms(b)}  x{b / a:.2f}", 1.5, b / a)
    return b


def bench_parallel(deck, single):
    """10 at once: none over 2 x single x 10 / cores."""
    cores, worst = os.cpu_count(), []
    for _ in range(10):
        times = []

        def one():
            times.append(timed(lambda: spawn_wait(deck, "exec", "model", "--", "/bin/true")))

        threads = [threading.Thread(target=one) for _ in range(10)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        worst.append(max(times))
    limit = 2 * single * 10 / cores
    w = statistics.median(worst)
    row("10 parallel execs, slowest (median of 10 rounds)", f"{ms(w)}  of {ms(limit)}", 1, w / limit)


def rpc_exec(deck, name, argv):
    conn = deck.rpc()
    try:
        conn.call("vm.exec", vm=name, argv=argv)
        frames, out, code = Frames(conn), b"", None
        while (f := frames.next()) is not None:
            if f[0] == Frames.STDOUT:
                out += f[1]
            elif f[0] == Frames.EXIT:
                code = struct.unpack("<Bi", f[1])[1]
        return code, out
    finally:
        conn.close()


def bench_many(deck, model, n=1000):
    daemon = deck.daemon_pid()
    rpc_exec(deck, "model", ["true"])
    count = lambda: (fd_count(daemon), fd_count(model["pid"]), int(rpc_exec(deck, "model", ["sh", "-c", "ls /proc/1/fd | wc -l"])[1]))
    before = count()
    bad = sum(rpc_exec(deck, "model", ["echo", str(i)]) != (0, f"{i}\n".encode()) for i in range(n))
    time.sleep(0)  # let go of the interpreter once; the daemon closes its ends by events
    after = count()
    row(f"{n} execs in a row: lost", f"{bad}", 0, bad)
    row("fds of daemon, VMM, agent before and after", f"{before} {after}", 0, sum(a > b for a, b in zip(after, before)))
    if bad:
        lost.append("execs")


def exec_times(deck, name, stop=None, n=200):
    times = []
    while (len(times) < n) if stop is None else not stop.is_set():
        times.append(timed(lambda: rpc_exec(deck, name, ["true"])))
    return times


def flood_want():
    line = b"0123456789abcdefghijklmnopqrstuvwxyz\n"
    n, h = FLOOD_MB * MB, hashlib.sha256()
    block = line * 8192
    while n:
        k = min(n, len(block))
        h.update(block[:k])
        n -= k
    return h.hexdigest()


def bench_flood(deck):
    script = ("mkfifo /run/go; read go < /run/go; yes 0123456789abcdefghijklmnopqrstuvwxyz | "
              f"head -c {FLOOD_MB * MB}; read go < /run/go")
    deck.boot("flood", "--", "sh", "-c", script)
    idle, idle_other = exec_times(deck, "flood"), exec_times(deck, "model")
    done, got = threading.Event(), {}

    def reader():
        h, total = hashlib.sha256(), 0
        p = deck.popen("attach", "--no-stdin", "flood")
        start = time.perf_counter()
        while total < FLOOD_MB * MB:
            chunk = p.stdout.read1(1 << 20)
            if not chunk:
                break
            if total == 0:
                start = time.perf_counter()
            h.update(chunk)
            total += len(chunk)
        got.update(hash=h.hexdigest(), total=total, seconds=time.perf_counter() - start)
        done.set()
        p.kill()
        p.communicate()

    t = threading.Thread(target=reader)
    t.start()
    rpc_exec(deck, "flood", ["sh", "-c", "echo go > /run/go"])
    busy, busy_other = [], []
    while not done.is_set():
        busy.append(timed(lambda: rpc_exec(deck, "flood", ["true"])))
        busy_other.append(timed(lambda: rpc_exec(deck, "model", ["true"])))
    t.join()
    want = flood_want()
    row(f"{FLOOD_MB} MB through attach", f"{got['total'] / 1e6 / got['seconds']:.0f} MB/s, "
        f"{'equal' if got['hash'] == want else 'DIFFERENT'}", 0, got["hash"] != want)
    stored = hashlib.sha256(deck.run("logs", "flood")[0]).hexdigest()
    row("the same bytes in the log", "equal" if stored == want else "DIFFERENT", 0, stored != want)
    if got["hash"] != want or stored != want:
        lost.append("output")
    for name, idle_times, busy_times, bar in (("same", idle, busy, 5), ("other", idle_other, busy_other, 3)):
        a, b = percentile(idle_times, 99), percentile(busy_times, 99)
        row(f"exec p99 to the {name} VM: idle, in the flood (n={len(busy_times)})",
            f"{ms(a)} {ms(b)}  x{b / a:.1f}", bar, b / a)
    deck.run("rm", "-f", "flood")


def main():
    deck = Deck()
    try:
        wanted = args.only.split(",") if args.only else ["boot", "exec", "parallel", "many", "flood"]
        model = deck.boot("model")
        print(f"vmdeck bench: {os.cpu_count()} cores, {model['vmm']} {model['version']} ({model['accel']}), "
              f"{model['mem_mib']} MiB, boot by the daemon's own clock {model['boot_ms']:.0f} ms")
        if "boot" in wanted:
            bench_boot(deck, model)
        single = bench_exec(deck, model) if {"exec", "parallel"} & set(wanted) else None
        if "parallel" in wanted:
            bench_parallel(deck, single)
        if "many" in wanted:
            bench_many(deck, model)
        if "flood" in wanted:
            bench_flood(deck)
    finally:
        deck.close()
    return 1 if lost else 0


sys.exit(main())
