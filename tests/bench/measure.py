"""What the parts of the bench share: clocks, percentiles, the table, the two ways to run a command."""
import os
import statistics
import struct
import threading
import time

from decklib import BUILD, LIMIT, Frames

HEAD = f"  {'':58} {'measured':>24}  {'ratio':>6}  bar"


def ms(seconds):
    return f"{seconds * 1e3:.1f} ms"


def row(name, value, ratio=None, bar=None):
    """One line of the table; with a bar also whether ratio is within it."""
    verdict = ""
    if bar is not None:
        verdict = f"  {ratio:6.2f}  {bar:<5} {'ok' if ratio <= bar else 'MISSED'}"
    print(f"  {name:58} {value:>24}{verdict}", flush=True)


def check(name, value, good, bad="LOST"):
    print(f"  {name:58} {value:>24}  {'':6}  {'':5} {'ok' if good else bad}", flush=True)


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p / 100))]


def pair_ratio(pairs):
    """The median of each pair's ratio: both of a pair met the same noise."""
    return statistics.median(b / a for a, b in pairs)


def medians(pairs):
    return [statistics.median(x) for x in zip(*pairs)]


def timed(fn):
    start = time.perf_counter()
    fn()
    return time.perf_counter() - start


def parallel(n, fn):
    """n threads that start together; the first exception of any is raised here."""
    errors, barrier = [], threading.Barrier(n)

    def one(i):
        try:
            barrier.wait(LIMIT)
            fn(i)
        except Exception as e:  # noqa: BLE001 - raised below
            errors.append(e)
    threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]


def spawn_wait(deck, *argv):
    """Whole process, from spawn to exit, with as little of this program around it as can be."""
    null = os.open("/dev/null", os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, n) for n in (0, 1)]
    pid = os.posix_spawn(str(BUILD / "vmdeck"), ["vmdeck", *argv], deck.env, file_actions=actions)
    _, status = os.waitpid(pid, 0)
    os.close(null)
    if status != 0:
        raise AssertionError(f"vmdeck {argv}: status {status}")


def rpc_exec(deck, name, argv):
    """A command through the daemon, on a connection of its own: (exit code, stdout)."""
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
