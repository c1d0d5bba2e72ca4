"""Restores and clones by vmdeck against the floor's, in pairs and in turn, so that noise hits both. Times are
taken here, at the client: from the request to the event that HELLO was answered, to the answer that the copy
is healthy, to the exit of a first command through the daemon."""
import json
import statistics
import time

from decklib import DeckError, wait_for
from floor import FIRST_EXEC, TENS
from measure import check, medians, ms, pair_ratio, parallel, percentile, row, rpc_exec, timed

SIZES = (256, 1024)
FCVM_HEALTHY = 0.533  # s: fcvm's usual restore, on hardware virtualisation


def exec_first(deck, name):
    how = rpc_exec(deck, name, FIRST_EXEC)
    if how != (0, b"\n"):
        raise DeckError(f"the first exec in {name} gave {how}")


def watched(deck, method, event, **params):
    """A call that makes one VM: (request to its first such event, request to the answer, the VM)."""
    conn = deck.rpc(subscribe=True)
    try:
        conn.n += 1
        request = json.dumps({"jsonrpc": "2.0", "id": conn.n, "method": method, "params": params}) + "\n"
        seen, begin = {}, time.perf_counter()
        conn.send_raw(request.encode())
        while True:
            answer = conn.read_line()
            took = time.perf_counter() - begin
            if answer.get("method") == "event":
                if answer["params"]["name"] == event:
                    seen.setdefault(answer["params"]["vm_name"], took)
            elif answer.get("id") == conn.n:
                vm = made(method, answer)
                if vm["name"] not in seen:
                    raise DeckError(f"{method} was answered without {event} of {vm['name']}")
                return seen[vm["name"]], took, vm
    finally:
        conn.close()


def made(method, answer):
    """The one VM in an answer."""
    if "error" in answer:
        raise DeckError(f"{method}: {answer['error']['message']}")
    result = answer["result"]
    if result.get("failed"):
        raise DeckError(f"{method}: {result['failed']}")
    return result["vms"][0] if "vms" in result else result


class Copies:
    """vmdeck's side: sources booted, snapshots s256 and s1024 of them, copies made and removed."""

    def __init__(self, deck):
        self.deck, self.tens = deck, {}

    def snapshot(self, mem_mib):
        name = f"s{mem_mib}"
        if mem_mib not in self.tens:
            self.deck.boot(f"source{mem_mib}", "--mem", str(mem_mib), "--", "sleep", "100000")
            exec_first(self.deck, f"source{mem_mib}")
            self.tens[mem_mib] = [self.ten(f"source{mem_mib}") for _ in range(TENS)]
            self.call("snapshot.create", vm=f"source{mem_mib}", name=name)
        return name

    def call(self, method, **params):
        conn = self.deck.rpc()
        try:
            return conn.call(method, **params)
        finally:
            conn.close()

    def remove(self, vm):
        self.call("vm.rm", vm=vm, force=True)

    def clone(self, mem_mib):
        return self.clone_of(self.snapshot(mem_mib))

    def clone_of(self, snapshot):
        """(request to HELLO, to the answer, to the first exec's exit)."""
        hello, healthy, vm = watched(self.deck, "vm.clone", "epoch.ack", prefix="c", count=1,
                                     **{"from": snapshot})
        name = vm["name"]
        try:
            return hello, healthy, healthy + timed(lambda: exec_first(self.deck, name))
        finally:
            self.remove(name)

    def restore(self, mem_mib):
        """(request to HELLO, to healthy, ten commands at once right then or None when one was lost)."""
        hello, healthy, vm = watched(self.deck, "vm.restore", "epoch.ack", name="r",
                                     snapshot=self.snapshot(mem_mib))
        try:
            return hello, healthy, self.ten(vm["name"])
        except (DeckError, OSError, EOFError) as e:
            print(f"  a command after a restore: {e}", flush=True)
            return hello, healthy, None
        finally:
            self.remove(vm["name"])

    def ten(self, name, width=10):
        return timed(lambda: parallel(width, lambda i: exec_first(self.deck, name)))

    def pool(self, mem_mib, count):
        """Returns when so many wait, loaded."""
        name = self.snapshot(mem_mib)
        self.call("snapshot.pool", name=name, count=count)

        def ready():
            found = [s for s in self.call("snapshot.list") if s["name"] == name]
            return found[0]["pool"]["ready"] == count
        wait_for(f"{count} of {name} in the pool", ready)

    def close(self):
        for size in self.tens:
            self.call("vm.rm", vm=f"source{size}", force=True)
            self.call("snapshot.rm", name=f"s{size}")


def bench_restore(deck, floor, n):
    """Request to HELLO answered and to a first command's exit: with and without a pool, small and large."""
    copies = Copies(deck)
    try:
        bench_sizes(copies, floor, n)
        bench_generations(copies, n)
        bench_pool(copies, floor, n)
    finally:
        copies.close()


def bench_sizes(copies, floor, n):
    for size in SIZES:  # what is made only once is no sample
        floor.both(size)
        copies.clone(size)
    bare, ours = {s: [] for s in SIZES}, {s: [] for s in SIZES}
    for i in range(n):
        jobs = [(floor.both, bare, s) for s in SIZES] + [(copies.clone, ours, s) for s in SIZES]
        turn = i % len(jobs)
        for fn, out, size in jobs[turn:] + jobs[:turn]:
            out[size].append(fn(size))
    for size in SIZES:
        for what, i, k in (("HELLO answered", 0, 0), ("first exec's exit", 1, 2)):
            pairs = [(x[i], y[k]) for x, y in zip(bare[size], ours[size])]
            floor_rows(pairs, f"{size} MiB, restore to {what}, bare QEMU", f"{size} MiB, clone request to {what}",
                       1.2 if size == SIZES[0] else None)
    small, large = SIZES
    for what, i in (("HELLO answered", 0), ("first exec's exit", 2)):
        pairs = [(x[i], y[i]) for x, y in zip(ours[small], ours[large])]
        a, b = medians(pairs)
        row(f"clone to {what}: {small} MiB, {large} MiB", f"{ms(a)} {ms(b)}", pair_ratio(pairs), 1.1)


def floor_rows(pairs, bare, ours, bar=None):
    a, b = medians(pairs)
    row(f"{bare} (n={len(pairs)})", ms(a))
    if bar is None:
        row(f"{ours}, vmdeck", f"{ms(b)} ({pair_ratio(pairs):.2f} x)")
    else:
        row(f"{ours}, vmdeck", ms(b), pair_ratio(pairs), bar)


def bench_generations(copies, n, size=256, depth=3):
    """A snapshot of a clone of a snapshot of a clone... against the first."""
    first = last = copies.snapshot(size)
    for i in range(depth):
        vm = copies.call("vm.restore", snapshot=last, name=f"child-{i}")["name"]
        exec_first(copies.deck, vm)
        last = f"depth-{i}"
        copies.call("snapshot.create", vm=vm, name=last)
        copies.remove(vm)
    pairs = []
    for i in range(n):
        took = {name: copies.clone_of(name)[2] for name in (first, last)[::1 if i % 2 else -1]}
        pairs.append((took[first], took[last]))
    for i in reversed(range(depth)):
        copies.call("snapshot.rm", name=f"depth-{i}")
    a, b = medians(pairs)
    row(f"clone to first exec's exit: of a snapshot, {depth} deeper", f"{ms(a)} {ms(b)}", pair_ratio(pairs), 1.1)


def bench_pool(copies, floor, n, size=256):
    bare, ours = [], []

    def one():
        copies.pool(size, 1)
        ours.append(copies.clone(size))
    for i in range(n):
        for fn in (lambda: bare.append(floor.pool(size)), one)[::1 if i % 2 else -1]:
            fn()
            copies.pool(size, 0)  # the floor has the machine to itself
    for what, i, k, bar in (("HELLO answered", 0, 0, 1.2), ("first exec's exit", 1, 2, None)):
        floor_rows([(x[i], y[k]) for x, y in zip(bare, ours)], f"pool, cont to {what}, bare QEMU",
                   f"pool, clone request to {what}", bar)


def bench_healthy(deck, floor, n=100, size=256):
    """True when no command was lost."""
    copies = Copies(deck)
    bare, bare_tens, ours = [], [], []
    try:
        copies.restore(size)
        for i in range(n):
            bare.append(floor.both(size)[0])
            if i % 5 == 0:
                bare_tens.append(floor.ten(size))
            ours.append(copies.restore(size))
    finally:
        copies.close()
    healthy = [x[1] for x in ours]
    p50, p99 = percentile(healthy, 50), percentile(healthy, 99)
    row(f"restore to HELLO, bare QEMU (n={n})", ms(statistics.median(bare)))
    row(f"restore to healthy, p50 of {n}", ms(p50), p50 / statistics.median(bare), 1.5)
    row(f"restore to healthy, p99 of {n}, of {ms(FCVM_HEALTHY)}", ms(p99), p99 / FCVM_HEALTHY, 1)
    slow = sum(h > 1 for h in healthy)
    row("restores that took over 1 s; the slowest", f"{slow}; {ms(max(healthy))}", max(healthy), 1)
    return ten_rows(floor.source(size).ten, bare_tens, copies.tens[size], [x[2] for x in ours])


def ten_rows(bare_before, bare_after, before, after):
    """The emulator's code cache is empty after a restore: the bare rows show what that alone costs."""
    answered = [t for t in after if t is not None]
    a, b = statistics.median(bare_before), statistics.median(bare_after)
    row(f"10 parallel execs, bare QEMU: before, after ({b / a:.1f} x)", f"{ms(a)} {ms(b)}")
    lost = len(answered) < len(after)
    check(f"10 parallel execs after each of {len(after)} restores, answered", f"{10 * len(answered)}", not lost)
    if answered:
        c, d = statistics.median(before), statistics.median(answered)
        row("10 parallel execs, vmdeck: before, after restore", f"{ms(c)} {ms(d)}", d / c, 1.5)
        row(f"10 parallel execs after restore: {d / b:.2f} x bare; slowest", ms(max(answered)))
    return not lost
