"""Snapshots: what the source VM loses by them (nothing), and what is refused while one is taken."""
import json
import threading

from decklib import NUMBERED, DeckCase, Frames, line_numbers, wait_for

STEPS_OF_THE_PAUSE = ("quiesce", "pause", "save", "resume", "thaw")


class SnapshotCase(DeckCase):
    def logs(self, name):
        return self.deck.run("logs", name)[0]

    def wait_lines(self, name, more_than):
        """The main process' output goes on behind that line; without a gap from its begin."""
        return wait_for(f"output of {name} goes on", lambda: line_numbers(self.logs(name))[1] > more_than, 60)

    def check_no_draft(self):
        drafts = list((self.deck.home / "snapshots").glob(".creating-*"))
        self.assertEqual(drafts, [], "a draft is left behind")

    def check_works(self, name):
        self.assertEqual(self.deck.run("exec", name, "--", "echo", "works")[0], b"works\n")

    def events_since(self, name, seq, *kinds):
        return [e for e in self.deck.events(name, seq) if e["name"] in kinds]

    def newest(self, name):
        return self.deck.events(name)[-1]["seq"]


class Source(SnapshotCase):
    """Tests run in order of their names and share the VM 'src', whose main process writes all the time."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.src = cls.deck.boot("src", "--", "sh", "-c", NUMBERED)

    def test_01_the_source_goes_on(self):
        self.wait_lines("src", 3)
        seq, before = self.newest("src"), line_numbers(self.logs("src"))[1]
        made = self.deck.json("snapshot", "src", "one")
        self.check_works("src")
        self.assertEqual((made["name"], made["state"], made["source"]), (
            "one", "ready", {"id": self.src["id"], "name": "src"}))
        self.assertGreater(made["pause_ms"], 0)
        self.assertLess(made["pause_ms"], 5000)
        self.assertGreaterEqual(made["took_ms"], made["pause_ms"])
        self.assertTrue(made["drained"], made)
        self.assertGreater(made["memory_bytes"], 10 << 20)
        self.assertGreater(made["state_bytes"], 1000)
        self.wait_lines("src", before + 20)
        self.assertEqual(line_numbers(self.logs("src"))[0], 0)
        vm = self.deck.vm("src")
        self.assertEqual((vm["state"], vm["generation"], vm["pid"]),
                         ("running", self.src["generation"], self.src["pid"]))
        wrong = self.events_since("src", seq, "epoch.ack", "output.gap", "agent.lost", "epoch.publish")
        self.assertEqual(wrong, [], "it was resumed, not restored: no new connection, no new epoch")
        took, = self.events_since("src", seq, "vm.snapshot")
        self.assertEqual(took["fields"]["snapshot"], "one")
        self.deck.run("snapshot", "verify", "one")

    def test_02_again_at_once(self):
        """The second one captures from a mapping that is private already."""
        self.deck.sh("src", "echo between > /run/between")
        pauses = [self.deck.json("snapshot", "src", name)["pause_ms"] for name in ("two", "three")]
        self.assertTrue(all(0 < p < 5000 for p in pauses), pauses)
        self.check_works("src")
        self.deck.run("snapshot", "verify", "two", "three")
        self.deck.restore("three", "of-three")
        self.assertEqual(self.deck.sh("of-three", "cat /run/between"), "between\n")
        self.deck.restore("one", "of-one")
        self.assertEqual(self.deck.sh("of-one", "cat /run/between 2>/dev/null; echo end"), "end\n")
        self.assertEqual(line_numbers(self.logs("src"))[0], 0)
        self.deck.run("rm", "-f", "of-three", "of-one")

    def test_03_lists_and_timeline(self):
        self.assertEqual({s["name"] for s in self.deck.json("snapshots")}, {"one", "two", "three"})
        steps = [p["name"] for p in self.deck.json("timeline", "one", "--kind", "snapshot")["phases"]]
        for name in STEPS_OF_THE_PAUSE + ("memory", "publish"):
            self.assertIn(name, steps)
        self.assertIn("quiesce", self.deck.text("timeline", "one", "--kind", "snapshot"))
        self.assertIn("two", self.deck.text("snapshots"))

    def test_04_names(self):
        self.assertIn("exists", self.deck.error("snapshot", "src", "one"))
        for name in (".creating-x", "a/b", "..", "-", "x" * 64):
            with self.subTest(name=name):
                self.deck.run("snapshot", "src", "--", name, code=None)
                self.assertIsNone(self.deck.snapshot(name))
        old = self.deck.snapshot("one")["id"]
        self.deck.run("snapshot", "--replace", "src", "one")
        self.assertNotEqual(self.deck.snapshot("one")["id"], old)
        self.deck.error("snapshot", "nobody", "x")
        self.deck.error("restore", "nothing")
        self.deck.error("clone", "nothing")
        self.deck.error("rm", "--snapshot", "nothing")
        self.check_no_draft()

    def test_05_removal_is_refused_while_clones_live(self):
        self.deck.restore("two", "user-a")
        self.deck.restore("two", "user-b")
        self.assertEqual(sorted(self.deck.snapshot("two")["users"]), ["user-a", "user-b"])
        for args in (("rm", "--snapshot", "two"), ("snapshot", "rm", "two"), ("snapshot", "--replace", "src", "two")):
            with self.subTest(args=args):
                said = self.deck.error(*args)
                self.assertIn("user-a", said)
                self.assertIn("user-b", said)
        self.check_works("user-a")
        self.check_works("user-b")
        self.deck.run("rm", "-f", "user-a")
        self.assertNotIn("user-a", self.deck.error("rm", "--snapshot", "two"))
        self.deck.run("kill", "user-b")  # ended, not removed: it maps nothing any more
        self.deck.run("rm", "--snapshot", "two")
        self.deck.run("rm", "user-b")
        self.assertIsNone(self.deck.snapshot("two"))
        self.assertFalse((self.deck.home / "snapshots" / "two").exists())
        wait_for("the trash is emptied", lambda: not list((self.deck.home / "trash").glob("*")), 20)

    def test_06_an_exec_in_flight_ends_once(self):
        """Its process goes on in the source; in a clone it is ended and never runs again."""
        self.deck.sh("src", "mkfifo /run/go-on")
        p = self.deck.popen("exec", "src", "--", "sh", "-c",
                            "echo nonce >> /run/nonce; echo up; read x < /run/go-on; echo end $x >> /run/nonce; echo end $x")
        self.assertEqual(p.stdout.readline(), b"up\n")
        self.deck.run("snapshot", "src", "flight")
        self.assertIsNone(p.poll())
        self.deck.restore("flight", "landed")
        wait_for("the exec is ended in the clone", lambda: not self.running_in("landed", "[n]once; echo up"), 30)
        self.assertEqual(self.deck.sh("landed", "cat /run/nonce"), "nonce\n")
        self.assertTrue(self.running_in("src", "[n]once; echo up"))
        self.deck.sh("src", "echo 42 > /run/go-on")
        out, err = p.communicate(timeout=60)
        self.assertEqual((p.returncode, out), (0, b"end 42\n"), err)
        self.assertEqual(self.deck.sh("src", "cat /run/nonce"), "nonce\nend 42\n")
        self.assertEqual(self.deck.sh("landed", "cat /run/nonce"), "nonce\n")
        self.deck.run("rm", "-f", "landed")

    def exec_frames(self, rpc):
        """Runs to the end of an upgraded connection: (stdout, exit seen)."""
        frames, out, ended = Frames(rpc), b"", False
        while (f := frames.next()) is not None:
            if f[0] == Frames.STDOUT:
                out += f[1]
            ended = ended or f[0] == Frames.EXIT
        return out, ended

    def test_07_execs_that_arrive_meanwhile(self):
        """One on each step of the pause, others all the time: each runs once, none hangs."""
        events, taker = self.deck.rpc(subscribe=True), self.deck.rpc()
        arrived = {step: self.deck.rpc() for step in STEPS_OF_THE_PAUSE}
        stop, done = threading.Event(), []

        def steadily():
            while not stop.is_set():
                n = len(done)
                done.append((n, self.deck.sh("src", f"echo s{n} >> /run/many; echo s{n}")))
        thread = threading.Thread(target=steadily)
        thread.start()
        n = taker.send("snapshot.create", vm="src", name="busy")
        for step, rpc in arrived.items():
            events.wait_event("flow.step", "src", flow="snapshot", step=step)
            rpc.send("vm.exec", vm="src", argv=["sh", "-c", f"echo {step} >> /run/many; echo {step}"])
        result, why = taker.answer(n)
        said, ran = {}, set()
        for step, rpc in arrived.items():
            answer, said[step] = rpc.answer(1 + 1)
            if answer is not None:
                self.assertEqual(self.exec_frames(rpc), (step.encode() + b"\n", True))
                ran.add(step)
            rpc.close()
        stop.set()
        thread.join(60)
        self.assertFalse(thread.is_alive(), "an exec hangs")
        self.assertIsNotNone(result, why)
        self.assertEqual(said, dict.fromkeys(STEPS_OF_THE_PAUSE, ""), "an exec is not refused for a short pause")
        many = self.deck.sh("src", "cat /run/many").split()
        self.assertEqual(sorted(many), sorted(ran | {f"s{i}" for i, _ in done}))
        self.deck.restore("busy", "after-busy")
        many = self.deck.sh("after-busy", "cat /run/many 2>/dev/null; true").split()
        self.assertEqual(len(many), len(set(many)), f"an exec ran twice: {many}")
        self.assertFalse(self.running_in("after-busy", "[m]any"))
        self.assertEqual(len(self.deck.sh("after-busy", "cat /run/many 2>/dev/null; true").split()), len(many))
        self.deck.run("rm", "-f", "after-busy")
        events.close()
        taker.close()

    def test_08_a_paused_vm_stays_paused(self):
        self.deck.run("pause", "src")
        made = self.deck.json("snapshot", "src", "asleep")
        self.assertEqual((self.deck.vm("src")["state"], made["pause_ms"]), ("paused", 0))
        self.deck.restore("asleep", "awake")
        self.assertEqual(self.deck.vm("awake")["state"], "running")
        self.check_works("awake")
        self.wait_lines("awake", 0)
        first, last = line_numbers(self.logs("awake"))
        self.wait_lines("awake", last + 5)
        self.assertEqual(self.deck.vm("src")["state"], "paused")
        self.deck.run("resume", "src")
        self.check_works("src")
        self.wait_lines("src", last)
        self.assertGreater(first, 0)
        self.deck.run("rm", "-f", "awake")

    def test_09_other_operations_meanwhile(self):
        """Refused with the snapshot's name, or done behind it."""
        r = self.deck.rpc()
        calls = [("snapshot.create", {"vm": "src", "name": "first"}),
                 ("snapshot.create", {"vm": "src", "name": "second"}), ("vm.pause", {"vm": "src"}),
                 ("vm.resume", {"vm": "src"}), ("vm.stop", {"vm": "src"}), ("vm.rm", {"vm": "src"}),
                 ("snapshot.rm", {"name": "first"})]
        sent = [r.send(method, **params) for method, params in calls]
        answers = {json.dumps(call): r.answer(n) for call, n in zip(calls, sent)}
        taken = [json.dumps(c) for c in calls[:2] if answers[json.dumps(c)][0]]
        self.assertEqual(taken, [json.dumps(calls[0])], answers)
        for call in calls[1:]:
            result, why = answers[json.dumps(call)]
            if call[0] not in ("vm.pause", "vm.resume"):
                self.assertIsNone(result, call)
            self.assertTrue(result or len(why) > 10, (call, why))
        if self.deck.vm("src")["state"] == "paused":
            r.call("vm.resume", vm="src")
        self.check_works("src")
        self.deck.run("snapshot", "verify", "first")
        r.close()

    def test_10_two_vms_at_once(self):
        other = self.deck.restore("one", "other")
        procs = [self.deck.popen("snapshot", vm, f"both-{vm}") for vm in ("src", "other")]
        for p in procs:
            _, err = p.communicate(timeout=120)
            self.assertEqual(p.returncode, 0, err)
        self.assertEqual(self.deck.snapshot("both-other")["source"], {"id": other["id"], "name": "other"})
        self.assertEqual(self.deck.snapshot("both-other")["parent"], "one")
        self.deck.run("snapshot", "verify", "both-src", "both-other")
        self.check_works("other")
        self.deck.run("rm", "-f", "other")

    def test_11_killed_meanwhile(self):
        """Whatever the step: no half snapshot, no hang; behind the pause it is finished without the VM."""
        whole = {}
        for step in ("quiesce", "pause", "save", "thaw", "memory", "publish"):
            with self.subTest(step=step):
                self.deck.restore("one", "victim")
                events, taker, killer = self.deck.rpc(subscribe=True), self.deck.rpc(), self.deck.rpc()
                n = taker.send("snapshot.create", vm="victim", name="of-victim")
                events.wait_event("flow.step", "victim", flow="snapshot", step=step)
                killer.call("vm.kill", vm="victim")
                result, why = taker.answer(n)
                self.assertEqual(self.deck.vm("victim")["state"], "stopped")
                self.deck.run("rm", "victim")
                whole[step] = result is not None
                if result:
                    self.deck.run("snapshot", "verify", "of-victim")
                    self.deck.restore("of-victim", "reborn")
                    self.check_works("reborn")
                    self.deck.run("rm", "-f", "reborn")
                    self.deck.run("rm", "--snapshot", "of-victim")
                else:
                    self.assertGreater(len(why), 10)
                self.assertIsNone(self.deck.snapshot("of-victim"))
                self.check_no_draft()
                for c in (events, taker, killer):
                    c.close()
        self.assertTrue(whole["publish"], whole)

    def test_12_main_process_ends_meanwhile(self):
        self.deck.boot("ender", "--", "sh", "-c", "mkfifo /run/end; read x < /run/end; exit 5")
        r, taker = self.deck.rpc(subscribe=True), self.deck.rpc()
        self.deck.sh("ender", "until [ -p /run/end ]; do sleep 0.02; done; (sleep 0.05; echo x > /run/end) &")
        result, why = taker.answer(taker.send("snapshot.create", vm="ender", name="of-ender"))
        self.assertTrue(result or len(why) > 10)
        if self.deck.vm("ender")["state"] != "stopped":
            r.wait_event("vm.state", "ender", to="stopped")
        self.assertEqual(self.deck.vm("ender")["exit"], {"how": "exit", "value": 5})
        self.deck.error("snapshot", "ender", "too-late")
        self.deck.run("rm", "ender")
        if result:
            self.deck.run("snapshot", "verify", "of-ender")
        self.check_no_draft()
        r.close()
        taker.close()

    def test_90_the_output_is_whole(self):
        """After all that was done to it, and with an end: nothing is missing, from the first line on."""
        self.assertEqual(line_numbers(self.logs("src"))[0], 0)
        self.assertEqual(self.events_since("src", 0, "output.gap"), [])
        acks = self.events_since("src", 0, "epoch.ack")
        self.assertEqual(len(acks), 1, acks)
        for s in self.deck.json("snapshots"):
            self.deck.run("rm", "--snapshot", s["name"])
        self.assertEqual(list((self.deck.home / "snapshots").glob("*")), [])
        wait_for("the trash is emptied", lambda: not list((self.deck.home / "trash").glob("*")), 20)
        self.check_works("src")


class Flood(SnapshotCase):
    LINES = 1_500_000

    def test_snapshot_in_a_flood(self):
        """Every byte arrives, in the source and from the snapshot on in the clone."""
        script = f"mkfifo /run/go; read x < /run/go; exec seq 1 {self.LINES}"
        self.deck.boot("flood", "--", "sh", "-c", script)
        r = self.deck.rpc(subscribe=True)
        self.deck.sh("flood", "until [ -p /run/go ]; do sleep 0.02; done; echo go > /run/go")
        wait_for("the flood has begun", lambda: r.call("vm.get", vm="flood")["output"]["end"] > 100_000, 30)
        self.deck.run("snapshot", "flood", "wet")
        self.deck.run("clone", "wet", "--name", "pool")
        for name in ("flood", "pool-1"):
            if self.deck.vm(name)["state"] != "stopped":
                r.wait_event("vm.state", name, to="stopped")
            self.assertEqual(self.deck.vm(name)["exit"], {"how": "exit", "value": 0}, name)
        self.assertEqual(line_numbers(self.logs("flood"), b""), (1, self.LINES))
        first, last = line_numbers(self.logs("pool-1"), b"", cut=True)
        self.assertEqual(last, self.LINES)
        self.assertGreater(first, 1000)
        for name in ("flood", "pool-1"):
            self.assertEqual(self.events_since(name, 0, "output.gap"), [])
            self.deck.run("rm", name)
        r.close()
