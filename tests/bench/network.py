"""What a network costs a boot and a restore, as medians of pairs; and what hundreds of VMs leave behind, some of
them killed midway. In worlds of namespaces (tests/e2e/worldlib.py): bridged as root, rootless as an ordinary account."""
import os
import random
import signal
import statistics

from decklib import alive, processes_with, wait_for
from measure import check, ms, row, timed
from worldlib import World, WorldDeck

MODES = [("bridged", False, 0.040), ("rootless", True, 0.120)]  # mode, ordinary account, bar in s
SETTLE = 20  # s


def boot_and_remove(deck, *args):
    took = timed(lambda: deck.run("boot", "--name", "x", *args))
    deck.run("rm", "-f", "x")
    return took


def restore_and_remove(deck, snapshot):
    took = timed(lambda: deck.run("restore", snapshot, "--name", "x"))
    deck.run("rm", "-f", "x")
    return took


def settled(deck, world, others):
    """Each run begins when what the last one undoes is undone: in the background, but on the same cores."""
    wait_for("networks are undone", lambda: world.leftovers().count("vmd-") <= others, SETTLE)
    deck.run("ls")


def difference(name, pairs, bar):
    extra = statistics.median(b - a for a, b in pairs)
    without, with_net = (statistics.median(x) for x in zip(*pairs))
    row(name, f"{ms(without)} -> {ms(with_net)}", extra / bar, 1.0)
    return extra <= bar


def compare(deck, world, mode, n, bar):
    boots, restores = [], []
    for name, args in (("without", []), ("with", ["--net", mode, "-p", "8080:80"])):
        deck.run("boot", "--name", name, *args)
        deck.run("snapshot", name, name)
    others = world.leftovers().count("vmd-")
    for _ in range(n):
        pair = []
        for args in ([], ["--net", mode, "-p", "8080:80"]):
            settled(deck, world, others)
            pair.append(boot_and_remove(deck, *args))
        boots.append(pair)
    for _ in range(n):
        pair = []
        for snapshot in ("without", "with"):
            settled(deck, world, others)
            pair.append(restore_and_remove(deck, snapshot))
        restores.append(pair)
    good = difference(f"boot, {mode} beside no network ({ms(bar)} more)", boots, bar)
    return difference(f"restore, the same, its port proved ({ms(bar)} more)", restores, bar) and good


def daemon_pid(deck):
    return int((deck.home / "vmdeckd.lock").read_text())


def end(pid):
    os.kill(pid, signal.SIGKILL)
    wait_for("it is gone", lambda: not alive(pid))


def cycle(deck, mode, victim, delay):
    """One VM's life; victim: None, or who is killed so many seconds behind the request."""
    boot = deck.popen("boot", "--name", "c", "--net", mode, "-p", "8080:80")
    if victim:
        try:
            boot.wait(delay)
        except Exception:  # noqa: BLE001 - still running: that is when it is killed
            pass
        targets = [daemon_pid(deck)] if victim == "daemon" else deck.vmms()
        for pid in targets:
            if alive(pid):
                end(pid)
    boot.communicate(timeout=120)
    if deck.vm("c"):
        deck.run("rm", "-f", "c", code=None)
        wait_for("the VM is gone", lambda: deck.vm("c") is None)


def leftovers(deck, world, mode, n, seed):
    rng = random.Random(seed)
    killed = set(rng.sample(range(n), n // 10))
    for i in range(n):
        victim = rng.choice(["daemon", "vmm"]) if i in killed else None
        cycle(deck, mode, victim, rng.uniform(0.02, 1.2))
    deck.run("daemon", "stop")
    wait_for("processes end", lambda: not processes_with(str(deck.home)), SETTLE)
    wait_for("networks are undone", lambda: not world.leftovers(), SETTLE)
    left = world.leftovers() or sorted((deck.runtime / "vms").glob("*"))
    check(f"{n} boots and removals, {mode}, {len(killed)} killed: left", str(left or "nothing"), not left)
    return not left


def in_worlds(fn):
    good = True
    for mode, user, bar in MODES:
        world = World()
        deck = WorldDeck(world, user)
        try:
            good &= fn(deck, world, mode, bar)
        finally:
            deck.close()
            world.close()
    return good


def bench_network(n):
    return in_worlds(lambda deck, world, mode, bar: compare(deck, world, mode, n, bar))


def bench_leftovers(n, seed):
    return in_worlds(lambda deck, world, mode, bar: leftovers(deck, world, mode, n, seed))
