"""Snapshots and clones over their whole life: how long the source pauses, what many clones take, what is left
when they are gone."""
import contextlib
import hashlib
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import tempfile

from decklib import Deck, DeckError, fd_count, processes_with, wait_for
from measure import check, ms, pair_ratio, row, rpc_exec
from restore import exec_first

MIB = 1 << 20
REFLINK_PAUSE = 0.040  # s
SETTLE = 20  # s: ends of connections and processes on their way


# ---- memory -------------------------------------------------------------------------------------

def guest_pss(pid, mem_mib):
    """PSS, bytes, of what a VMM maps as guest memory: all mappings of the one file that is mem_mib large."""
    files, current, total = {}, None, 0
    with open(f"/proc/{pid}/smaps") as f:
        for line in f:
            words = line.split()
            if not words[0].endswith(":"):
                first, last = (int(x, 16) for x in words[0].split("-"))
                current = (words[3], words[4])
                size, total = files.get(current, (0, 0))
                files[current] = (size + last - first, total)
            elif words[0] == "Pss:":
                size, total = files[current]
                files[current] = (size, total + int(words[1]) * 1024)
    found = [pss for (dev, inode), (size, pss) in files.items() if inode != "0" and size == mem_mib * MIB]
    if len(found) != 1:
        raise DeckError(f"process {pid}: {len(found)} files of {mem_mib} MiB are mapped, not one")
    return found[0]


def bench_memory(deck, count=20, size=256):
    deck.boot("one", "--mem", str(size), "--", "sleep", "100000")
    exec_first(deck, "one")
    booted = guest_pss(deck.vm("one")["pid"], size)
    conn = deck.rpc()
    try:
        conn.call("snapshot.create", vm="one", name="many")
        got = conn.call("vm.clone", **{"from": "many"}, count=count, prefix="many")
        if got["failed"]:
            raise DeckError(f"clones failed: {got['failed']}")
        names = [vm["name"] for vm in got["vms"]]
        for name in names:
            exec_first(deck, name)
        pss = sum(guest_pss(conn.call("vm.get", vm=name)["pid"], size) for name in names)
        for name in [*names, "one"]:
            conn.call("vm.rm", vm=name, force=True)
        conn.call("snapshot.rm", name="many")
    finally:
        conn.close()
    row(f"guest memory (PSS): one booted, {count} clones of it, {size} MiB",
        f"{booted / MIB:.0f} MiB {pss / MIB:.0f} MiB", pss / booted, 2)


# ---- pause --------------------------------------------------------------------------------------

def pause(conn, vm):
    """Seconds that a snapshot of the VM paused it; the snapshot is removed again."""
    took = conn.call("snapshot.create", vm=vm, name="pause")["pause_ms"] / 1e3
    conn.call("snapshot.rm", name="pause")
    return took


def pauses(deck, conn, size):
    """Of a booted VM: its first snapshot; a second one; one of a clone. Commands between them dirty memory."""
    deck.boot("paused", "--mem", str(size), "--", "sleep", "100000")
    took = []
    try:
        exec_first(deck, "paused")
        took.append(pause(conn, "paused"))
        exec_first(deck, "paused")
        took.append(pause(conn, "paused"))
        conn.call("snapshot.create", vm="paused", name="base")
        name = conn.call("vm.restore", snapshot="base", name="copy")["name"]
        try:
            exec_first(deck, name)
            took.append(pause(conn, name))
        finally:
            conn.call("vm.rm", vm=name, force=True)
            conn.call("snapshot.rm", name="base")
    finally:
        conn.call("vm.rm", vm="paused", force=True)
    return took


KINDS = ("first of a booted VM", "a second one", "of a clone")


def bench_pause(deck, floor, n, size=256):
    conn, pairs = deck.rpc(), []
    try:
        floor.copy(size)
        for i in range(n):
            bare = floor.copy(size)
            pairs.append((bare, pauses(deck, conn, size)))
    finally:
        conn.close()
    row(f"sparse copy of {floor.source(size).copied / MIB:.0f} MiB, bare (n={n})",
        ms(statistics.median(a for a, _ in pairs)))
    for k, kind in enumerate(KINDS):
        mine = [(a, took[k]) for a, took in pairs]
        row(f"snapshot pause at {size} MiB, {kind}", ms(statistics.median(b for _, b in mine)), pair_ratio(mine), 1.3)
    bench_reflink(n, size)


@contextlib.contextmanager
def mounted(fs, options, gib=4):
    """A new filesystem in a file; OSError says why there can't be one."""
    maker = shutil.which(f"mkfs.{fs}") or shutil.which(f"mkfs.{fs}", path="/usr/sbin:/sbin")
    if not maker:
        raise OSError(f"mkfs.{fs} is not installed")
    if os.geteuid() != 0:
        raise OSError("only root can mount it")
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{fs}-"))
    disk, point = folder / "disk", folder / "m"
    try:
        point.mkdir()
        with open(disk, "wb") as f:
            f.truncate(gib << 30)
        for command in ([maker, *options, disk], ["mount", "-o", "loop", disk, point]):
            p = subprocess.run([str(a) for a in command], capture_output=True, text=True, stdin=subprocess.DEVNULL)
            if p.returncode != 0:
                raise OSError(f"{command[0]}: {p.stderr.strip()[-200:]}")
        try:
            yield point
        finally:
            subprocess.run(["umount", str(point)], check=True)
    finally:
        shutil.rmtree(folder)


def bench_reflink(n, size):
    for fs, options in (("btrfs", ["-q"]), ("xfs", ["-q", "-m", "reflink=1"])):
        try:
            with mounted(fs, options) as point:
                took = pauses_on(point, n, size)
        except OSError as e:
            row(f"snapshot pause on {fs}", f"skipped: {e}")
            continue
        for k, kind in enumerate(KINDS):
            middle = statistics.median(t[k] for t in took)
            row(f"snapshot pause on {fs}, {kind} (n={n})", f"{ms(middle)} of {ms(REFLINK_PAUSE)}",
                middle / REFLINK_PAUSE, 1)


def pauses_on(point, n, size):
    before, tempfile.tempdir = tempfile.tempdir, str(point)
    try:
        deck = Deck()
    finally:
        tempfile.tempdir = before
    try:
        conn = deck.rpc()
        try:
            return [pauses(deck, conn, size) for _ in range(n)]
        finally:
            conn.close()
    finally:
        deck.close()


# ---- cycles -------------------------------------------------------------------------------------

def disk(folder, skip):
    """(files, KiB) below a folder without the logs, which are kept on purpose, and what is written late."""
    files = blocks = 0
    for where, folders, names in os.walk(folder):
        for name in [*names, *folders]:
            if not name.startswith(skip):
                with contextlib.suppress(FileNotFoundError):
                    files, blocks = files + 1, blocks + os.lstat(os.path.join(where, name)).st_blocks
    return files, blocks // 2


def counts(deck, source):
    """All that must not grow; the deck is idle."""
    files, kib = disk(deck.home, ("vmdeck.db", "daemon.log", "output.json"))
    agent = rpc_exec(deck, source["name"], ["sh", "-c", "ls /proc/1/fd | wc -l"])[1]
    with open(f"/proc/{source['pid']}/maps") as f:
        maps = len(f.readlines())
    return {"processes": len(processes_with(str(deck.home))), "daemon fds": fd_count(deck.daemon_pid()),
            "VMM fds": fd_count(source["pid"]), "VMM mappings": maps, "agent fds": int(agent), "files": files,
            "sockets": disk(deck.runtime, ())[0], "KiB on disk": kib}


def emptied(deck):
    """No folder of a snapshot is left, also none that is being removed behind the answer."""
    wait_for("removed snapshots are gone from disk",
             lambda: not any(p.is_dir() for name in ("snapshots", "trash") for p in (deck.home / name).glob("*")),
             SETTLE)


def cycle(deck, conn, source, rng, i):
    """One life. What runs in the clone, and whether it is cloned or restored, follow the seed."""
    payload = rng.randbytes(rng.randrange(1, 4096)).hex()[:rng.randrange(1, 8192)]
    conn.call("snapshot.create", vm=source, name=f"cycle-{i}")
    if rng.random() < 0.5:
        vm = conn.call("vm.restore", snapshot=f"cycle-{i}", name=f"life-{i}")["name"]
    else:
        got = conn.call("vm.clone", **{"from": f"cycle-{i}"}, prefix=f"life-{i}")
        if got["failed"]:
            raise DeckError(f"clone: {got['failed']}")
        vm = got["vms"][0]["name"]
    code, out = rpc_exec(deck, vm, ["sh", "-c", 'printf %s "$0" | sha256sum', payload])
    conn.call("vm.rm", vm=vm, force=True)
    conn.call("snapshot.rm", name=f"cycle-{i}")
    return code == 0 and out.split()[0].decode() == hashlib.sha256(payload.encode()).hexdigest()


def bench_cycles(deck, n=300, seed=3, warm=5):
    """True when every command's answer was right and nothing grew."""
    rng = random.Random(seed)
    source = deck.boot("cycled", "--", "sleep", "100000")
    conn = deck.rpc()
    try:
        bad = sum(not cycle(deck, conn, "cycled", rng, i) for i in range(warm))
        emptied(deck)
        before = counts(deck, source)
        bad += sum(not cycle(deck, conn, "cycled", rng, i) for i in range(warm, warm + n))
        after = {}

        def settled():
            after.update(counts(deck, source))
            return all(after[k] <= before[k] for k in before)
        with contextlib.suppress(DeckError):
            wait_for("nothing is left", settled, SETTLE)
        conn.call("vm.rm", vm="cycled", force=True)
    finally:
        conn.close()
    check(f"{n} x snapshot, clone, exec, remove (seed {seed}): wrong", str(bad), not bad)
    for what, old in before.items():
        check(f"  {what}: before, after", f"{old} {after[what]}", after[what] <= old, "LEAK")
    return not bad and all(after[k] <= before[k] for k in before)
