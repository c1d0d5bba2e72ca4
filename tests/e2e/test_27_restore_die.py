"""kill -9 of the daemon at every step of snapshot, restore, boot and pool: before the step does anything, and
while it waits. The steps are those that a run which goes through has told, so that a new one is covered by
itself. The next daemon finds a whole snapshot or none, a whole VM or none, the source at work, and no orphan."""
import os

from decklib import BUILD, NUMBERED, DeckCase, alive, line_numbers, wait_for

MOMENTS = ("enter", "wait")


class DieCase(DeckCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.deck.env["VMDECK_LIBEXEC"] = str(BUILD / "diebin")
        cls.src = cls.deck.boot("src", "--", "sh", "-c", NUMBERED)
        cls.deck.run("snapshot", "src", "base")
        cls.deck.restore("base", "model")
        cls.steps = {"snapshot": cls.steps_of("src", "snapshot"), "restore": cls.steps_of("model", "restore"),
                     "boot": cls.steps_of("src", "boot")}
        cls.deck.run("rm", "-f", "model")

    @classmethod
    def steps_of(cls, vm, flow):
        steps = [e["fields"]["step"] for e in cls.deck.events(vm)
                 if e["name"] == "flow.step" and e["fields"]["flow"] == flow]
        assert len(steps) > 2 and len(steps) == len(set(steps)), steps
        return steps

    def daemon_that_dies(self, where):
        """A new daemon with its end written down, at work with the source; its pid."""
        self.deck.run("daemon", "stop")
        self.deck.env["DECK_DIE_AT"] = where
        try:
            self.deck.run("daemon", "start")
        finally:
            del self.deck.env["DECK_DIE_AT"]
        self.check_works("src")
        return self.deck.daemon_pid()

    def check_works(self, name):
        self.assertEqual(self.deck.run("exec", name, "--", "echo", "works")[0], b"works\n")

    def ended_by_it(self, pid, p):
        """Whether the daemon ended at the point; the client of it, too, then."""
        out, err = p.communicate(timeout=120)
        died = p.returncode != 0
        if died:
            wait_for("the daemon is gone", lambda: not alive(pid), 30)
            self.assertTrue(err.startswith(b"vmdeck: "), err)
        else:
            self.assertTrue(alive(pid))
        return died

    def check_source(self, last):
        """Behind every death: it runs, answers, and its output has every line."""
        vm = self.deck.vm("src")
        if vm["state"] != "running":
            r = self.deck.rpc(subscribe=True)
            if self.deck.vm("src")["state"] != "running":
                r.wait_event("vm.state", "src", to="running")
            r.close()
        self.check_works("src")
        self.assertEqual((vm["pid"], vm["generation"]), (self.src["pid"], self.src["generation"]))
        wait_for("its output goes on", lambda: line_numbers(self.deck.run("logs", "src")[0])[1] > last, 60)
        first, last = line_numbers(self.deck.run("logs", "src")[0])
        self.assertEqual(first, 0)
        return last

    def check_only(self, *names):
        """No VMM, folder or socket but those of these VMs."""
        vms = {vm["name"]: vm for vm in self.deck.json("ls")}
        self.assertEqual(set(vms), set(names))
        ids, pids = {vm["id"] for vm in vms.values()}, sorted(vm["pid"] for vm in vms.values())
        wait_for("no orphan VMM", lambda: sorted(self.deck.vmms()) == pids, 30)
        for top in (self.deck.home / "vms", self.deck.runtime / "vms"):
            wait_for(f"nothing more in {top}", lambda top=top: {p.name for p in top.glob("*")} == ids, 20)

    def each(self, flow):
        return [(moment, f"{flow}:{step}:{moment}") for step in self.steps[flow] for moment in MOMENTS]

    def died_or_filled(self, pid):
        """Whether the daemon died; else its pool has one ready."""
        r = self.deck.rpc() if alive(pid) else None

        def filled():
            try:
                return r.call("snapshot.list")[0]["pool"]["ready"] == 1
            except (OSError, EOFError):
                return False
        wait_for("it died, or the pool is filled", lambda: not alive(pid) or filled(), 60)
        if r:
            r.close()
        return not alive(pid)


class Died(DieCase):
    def test_1_snapshot(self):
        last, outcome = -1, {}
        for moment, where in self.each("snapshot"):
            with self.subTest(where=where):
                pid = self.daemon_that_dies(where)
                died = self.ended_by_it(pid, self.deck.popen("snapshot", "src", "s"))
                if moment == "enter":
                    self.assertTrue(died, where)
                last = self.check_source(last)
                self.assertEqual(list((self.deck.home / "snapshots").glob(".*")), [], where)
                made = self.deck.snapshot("s")
                outcome[where] = (died, made is not None)
                if made:
                    self.assertEqual(made["state"], "ready")
                    self.deck.run("snapshot", "verify", "s")
                    self.deck.restore("s", "whole")
                    self.check_works("whole")
                    self.deck.run("rm", "-f", "whole")
                    self.deck.run("rm", "--snapshot", "s")
                else:
                    self.assertTrue(died, "a snapshot that was made is there")
                self.check_only("src")
        self.assertGreaterEqual(sum(died for died, _ in outcome.values()), len(self.steps["snapshot"]) + 4, outcome)
        wait_for("the trash is emptied", lambda: not list((self.deck.home / "trash").glob("*")), 20)

    def test_2_restore(self):
        last, outcome = -1, {}
        for moment, where in self.each("restore"):
            with self.subTest(where=where):
                pid = self.daemon_that_dies(where)
                died = self.ended_by_it(pid, self.deck.popen("restore", "base", "--name", "c"))
                outcome[where] = died
                if moment == "enter":
                    self.assertTrue(died, where)
                last = self.check_source(last)
                if self.deck.vm("c"):
                    self.check_works("c")
                    self.check_only("src", "c")
                    self.deck.run("rm", "-f", "c")
                else:
                    self.assertTrue(died)
                self.check_only("src")
                self.assertEqual(self.deck.snapshot("base")["users"], [])
        self.assertGreaterEqual(sum(outcome.values()), len(self.steps["restore"]) + 4, outcome)
        self.deck.run("snapshot", "verify", "base")
        self.deck.restore("base", "c")
        self.check_works("c")
        self.deck.run("rm", "-f", "c")

    def test_3_boot(self):
        for moment, where in self.each("boot"):
            with self.subTest(where=where):
                pid = self.daemon_that_dies(where)
                died = self.ended_by_it(pid, self.deck.popen("boot", "--name", "b"))
                if moment == "enter":
                    self.assertTrue(died, where)
                vm = self.deck.vm("b")
                if vm:
                    r = self.deck.rpc(subscribe=True)
                    if self.deck.vm("b")["state"] == "starting":
                        r.wait_event("vm.state", "b", to="running")
                    r.close()
                    self.check_works("b")
                    self.deck.run("rm", "-f", "b")
                self.check_works("src")
                self.check_only("src")

    def test_4_temporary_snapshot(self):
        """A clone of a VM, cut off between its snapshot and its restore, leaves neither."""
        for where in ("snapshot:save:wait", "snapshot:publish:wait", "restore:check:enter", "restore:load:wait",
                      "restore:hello:wait"):
            with self.subTest(where=where):
                pid = self.daemon_that_dies(where)
                self.assertTrue(self.ended_by_it(pid, self.deck.popen("clone", "src", "-n", "2", "--name", "t")))
                self.check_source(-1)
                for vm in self.deck.json("ls"):  # one may have been through before the other one's end
                    if vm["name"] != "src":
                        self.check_works(vm["name"])
                        self.deck.run("rm", "-f", vm["name"])
                self.check_only("src")
                self.assertEqual([s["name"] for s in self.deck.json("snapshots")], ["base"])
                wait_for("no file of it is left", lambda: sorted(os.listdir(
                    self.deck.home / "snapshots")) == ["base"], 20)

    def test_5_pool(self):
        """What waited in the pool, or was being made, is gone with the daemon, and made anew by the next."""
        steps = self.steps["restore"]
        for where in [f"pool:{s}:{m}" for s in steps[steps.index("check"):steps.index("resume")] for m in MOMENTS]:
            with self.subTest(where=where):
                pid = self.daemon_that_dies(where)
                self.deck.run("pool", "base", "1", code=None)
                died = self.died_or_filled(pid)
                if where.endswith(":enter"):
                    self.assertTrue(died, where)
                before = set(self.deck.vmms()) if died else {self.src["pid"]}
                wait_for("the next daemon has one ready", lambda: self.deck.snapshot("base")["pool"]["ready"] == 1, 60)
                if died:
                    wait_for("what the last one made is gone", lambda: not any(
                        alive(p) for p in before - {self.src["pid"]}), 20)
                self.assertEqual(len(self.deck.vmms()), 2)
                self.deck.run("pool", "base", "0")
                wait_for("only the source is left", lambda: self.deck.vmms() == [self.src["pid"]], 20)
        self.check_only("src")
        self.check_works("src")
