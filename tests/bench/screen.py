"""The console on a bare pty: how long until something useful stands there, how long a key takes to show while a
guest floods the pane, and what an idle one does."""
import re
import time

from decklib import BUILD
from measure import check, ms, percentile, row
from ptylib import Pty

USEFUL = 0.100  # s from start to the list of VMs
KEY = 0.050  # s from a key to what it shows, p99
IDLE = 10  # s
FLOOD = "while :; do seq 100000 200000; done"


def console(deck, text):
    """An open console, and the time until it showed the text."""
    start = time.perf_counter()
    p = Pty([BUILD / "vmdeck"], deck.env)
    p.wait(text)
    return p, time.perf_counter() - start


def leave(p):
    p.send(b"Q")
    code, text = p.wait_end()
    p.close()
    if code != 0:
        raise AssertionError(f"the console ended with {code}: {text}")


def starts(deck, n):
    took = []
    for _ in range(n):
        p, seconds = console(deck, b"running")
        took.append(seconds)
        leave(p)
    for q in (50, 99):
        row(f"console: start to the list of VMs, p{q} (n={n})", ms(percentile(took, q)), percentile(took, q) / USEFUL,
            1 if q == 50 else None)


def keys_in_flood(deck, n):
    deck.boot("flood", "--", "sh", "-c", FLOOD)
    p, _ = console(deck, b"running")
    took = []
    try:
        p.send(b":filter flood\r")
        p.wait(b"1" * 3)  # of the numbers: the pane is fed
        for i in range(n):
            p.forget()
            start = time.perf_counter()
            p.send(b"?")
            p.wait(b"any other key closes")
            took.append(time.perf_counter() - start)
            p.forget()
            p.send(b"q")
            p.wait(b"flood")
        leave(p)
    finally:
        p.close()
        deck.run("rm", "-f", "flood")
    for q in (50, 99):
        row(f"console: key to screen in a flood, p{q} (n={n})", ms(percentile(took, q)), percentile(took, q) / KEY,
            1 if q == 99 else None)


def switches(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", f.read(), re.M)[1])


def idle(deck, name):
    """A paused VM tells nothing of itself: nothing changes."""
    deck.run("pause", name)
    p, _ = console(deck, b"paused")
    try:
        while p.quiet(1):
            pass
        before = switches(p.proc.pid)
        written = len(p.quiet(IDLE))
        woken = switches(p.proc.pid) - before
        leave(p)
    finally:
        p.close()
        deck.run("resume", name)
    check(f"console: bytes written, wakeups in {IDLE} idle s", f"{written} {woken}", not written and not woken, "MISSED")


def bench_screen(deck, name="model", n=30):
    starts(deck, n)
    keys_in_flood(deck, 10 * n)
    idle(deck, name)
