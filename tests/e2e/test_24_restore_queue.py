"""Restores that end while they wait for their turn, pools whose snapshot goes, temporary snapshots at a new daemon."""
import os
import signal

from decklib import DeckCase, alive, processes_with, wait_for

CLONES = 12  # more than processors: the last ones wait


class Waiting(DeckCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.deck.boot("src")
        cls.deck.run("snapshot", "src", "base")

    def vmms(self):
        def is_vmm(pid):
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                return b"qemu-system" in f.read().split(b"\0")[0]
        return [p for p in processes_with(str(self.deck.home)) if is_vmm(p)]

    def names(self):
        return {vm["name"] for vm in self.deck.json("ls")}

    def snapshot(self, name):
        found = [s for s in self.deck.json("snapshots") if s["name"] == name]
        return found[0] if found else None

    def clone_and_remove_waiting(self, prefix, victim):
        """Clones, and removes the one named as soon as it waits; the others must come up."""
        watch, act = self.deck.rpc(subscribe=True), self.deck.rpc()
        pid = self.deck.daemon_pid()
        clones = self.deck.popen("clone", "base", "-n", CLONES, "--name", prefix)
        watch.wait_event("queue.wait", victim)
        act.call("vm.rm", vm=victim, force=True)
        out, err = clones.communicate(timeout=120)
        watch.close()
        act.close()
        self.assertEqual(clones.returncode, 1, err)
        self.assertIn(victim.encode(), err)
        self.assertEqual(len(out.split()), CLONES - 1)
        self.assertEqual(self.deck.daemon_pid(), pid, "the daemon lives")
        self.assertNotIn(victim, self.names())
        self.assertEqual(self.deck.run("exec", f"{prefix}-1", "--", "echo", "works")[0], b"works\n")
        self.deck.run("rm", "-f", *[f"{prefix}-{n}" for n in range(1, CLONES + 1) if f"{prefix}-{n}" != victim])

    def test_1_removed_while_it_waits(self):
        self.clone_and_remove_waiting("q", f"q-{CLONES}")

    def pool_ready(self, count):
        watch = self.deck.rpc(subscribe=True)
        self.deck.run("pool", "base", count)
        while self.snapshot("base")["pool"]["ready"] < count:
            watch.wait_event("pool.ready")
        watch.close()

    def test_2_one_of_the_pool_removed_while_it_waits(self):
        count = (os.cpu_count() or 1) + 2
        self.pool_ready(count)
        self.clone_and_remove_waiting("p", f"p-{count}")
        self.deck.run("pool", "base", 0)
        wait_for("only the source's VMM is left", lambda: len(self.vmms()) == 1, 30)

    def test_3_replaced_snapshot_ends_its_pool(self):
        self.pool_ready(2)
        self.deck.run("snapshot", "src", "base", "--replace")
        wait_for("its waiting VMMs are gone", lambda: len(self.vmms()) == 1, 30)
        self.assertEqual(self.snapshot("base")["pool"]["wanted"], 0)

    def test_4_temporary_snapshot_outlives_a_clone_that_ended_without_a_daemon(self):
        self.deck.run("clone", "src", "-n", 2, "--name", "t")
        one, two = self.deck.vm("t-1"), self.deck.vm("t-2")
        self.deck.kill_daemon()
        os.kill(one["pid"], signal.SIGKILL)
        wait_for("the first clone's VMM is gone", lambda: not alive(one["pid"]))
        self.assertIsNotNone(self.snapshot(two["snapshot"]), "the second clone maps it")
        self.assertEqual(self.deck.run("exec", "t-2", "--", "echo", "works")[0], b"works\n")
        self.deck.run("rm", "-f", "t-1", "t-2")
        self.assertIsNone(self.snapshot(two["snapshot"]))
