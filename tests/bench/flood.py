"""A guest that writes as fast as it can: every byte must arrive, and commands must not wait for it.

The main process cats one block, made before and lying in the guest's memory, again and again: the stream is
measured, not the writer. Lines are numbered and the block's length is no power of two, so that a lost, doubled
or exchanged piece of any buffer's size changes the hash."""
import hashlib
import multiprocessing
import subprocess
import time

from measure import check, ms, percentile, row, rpc_exec, timed

FIRST, LAST = 100000, 242856
COPIES = 210  # of 999,999 bytes: more than 200 MB and 200 MiB
SAMPLES = 200
ROUNDS = 8  # at most: the log keeps 1 GiB
READY = b"ready\n"
SCRIPT = (f"seq {FIRST} {LAST} > /run/block; f=; i=0; while [ $i -lt {COPIES} ]; do f=\"$f /run/block\"; "
          "i=$((i+1)); done; echo ready; while read go; do cat $f; done")


def block():
    return b"".join(b"%d\n" % i for i in range(FIRST, LAST + 1))


def want(rounds):
    h, one = hashlib.sha256(READY), block()
    for _ in range(COPIES * rounds):
        h.update(one)
    return h.hexdigest()


def reader(pipe, out):
    """In a process of its own, so that hashing does not hold up the clock of the commands: tells when the
    guest is ready, then for each round's last byte (time since its first one, hash so far)."""
    h, size = hashlib.sha256(), COPIES * len(block())
    total, start, due = 0, None, len(READY)
    while chunk := out.read1(1 << 20):
        if start is None and total >= len(READY):
            start = time.perf_counter()
        while chunk:
            part = chunk[:due - total]
            chunk = chunk[len(part):]
            h.update(part)
            total += len(part)
            if total == due:
                pipe.send((time.perf_counter() - start if start else 0, h.hexdigest()))
                start, due = None, due + size
    pipe.close()


class Flood:
    def __init__(self, deck):
        self.deck, self.rounds = deck, 0
        deck.boot("flood", "--", "sh", "-c", SCRIPT)
        self.attach = deck.popen("attach", "--stdin", "flood", stdin=subprocess.PIPE)
        self.pipe, theirs = multiprocessing.Pipe()
        self.reader = multiprocessing.Process(target=reader, args=(theirs, self.attach.stdout), daemon=True)
        self.reader.start()
        self.attach.stdout.close()
        theirs.close()
        self.pipe.recv()

    def go(self):
        self.rounds += 1
        self.attach.stdin.write(b"go\n")
        self.attach.stdin.flush()

    def close(self):
        self.attach.kill()
        self.attach.wait()
        self.attach.stdin.close()
        self.attach.stderr.close()
        self.reader.join()
        self.deck.run("rm", "-f", "flood")


def sample(deck, times):
    for name, values in times.items():
        values.append(timed(lambda: rpc_exec(deck, name, ["true"])))


def idle(deck, times, n):
    for _ in range(n):
        sample(deck, times)


def bench_flood(deck):
    """True when every byte arrived, in order."""
    flood = Flood(deck)
    try:
        return measure_flood(deck, flood)
    finally:
        flood.close()


def measure_flood(deck, flood):
    calm, busy = {"flood": [], "model": []}, {"flood": [], "model": []}
    idle(deck, calm, SAMPLES // 2)
    good, speed = True, []
    while flood.rounds < ROUNDS and (not flood.rounds or len(busy["flood"]) < SAMPLES):
        flood.go()
        while not flood.pipe.poll():
            sample(deck, busy)
        seconds, got = flood.pipe.recv()
        speed.append(COPIES * len(block()) / 1e6 / seconds)
        good = good and got == want(flood.rounds)
        if flood.rounds == 1:
            first = hashlib.sha256(deck.run("logs", "flood")[0]).hexdigest() == want(1)
    idle(deck, calm, SAMPLES // 2)
    row(f"{COPIES} MB through attach, median of {flood.rounds}", f"{percentile(speed, 50):.0f} MB/s")
    check("bytes through attach, complete and in order", "equal" if good else "DIFFERENT", good)
    check("bytes in the log, complete and in order", "equal" if first else "DIFFERENT", first)
    for name, text, bar in (("flood", "the same", 5), ("model", "another", 3)):
        for p in (50, 99):
            a, b = percentile(calm[name], p), percentile(busy[name], p)
            row(f"exec to {text} VM, p{p}: idle, in the flood (n={len(busy[name])})", f"{ms(a)} {ms(b)}", b / a,
                bar if p == 99 else None)
    return good and first
