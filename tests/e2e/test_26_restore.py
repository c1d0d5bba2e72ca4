"""Restores and clones: each is itself, each step has its time, several share the work."""
import os
import re
import signal
import time

from decklib import NUMBERED, DeckCase, alive, line_numbers, wait_for

CHAIN = ("queue", "check", "reserve", "spawn", "api", "load", "resume", "dial", "hello", "rebind", "output", "health")
# What the log says of a restore, in this order (others may be between).
EVENTS = ("vm.create", "vmm.spawn", "agent.dial", "epoch.publish", "epoch.ack", "health.change", "vm.restore")


class RestoreCase(DeckCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.src = cls.deck.boot("src", "--", "sh", "-c", NUMBERED)
        cls.deck.sh("src", "echo from-src > /run/content")
        cls.deck.run("snapshot", "src", "base")

    def check_works(self, name):
        self.assertEqual(self.deck.run("exec", name, "--", "echo", "works")[0], b"works\n")

    def check_clock(self, name):
        """Right within a second; it says whole ones."""
        before = time.time()
        guest = int(self.deck.sh(name, "date +%s"))
        self.assertTrue(before - 2 < guest < time.time() + 1, (name, before, guest))

    def remove(self, *names):
        self.deck.run("rm", "-f", *names)

    def snapshots_gone(self):
        def left():
            return [p.name for top in ("snapshots", "trash") for p in (self.deck.home / top).glob("*")
                    if p.name not in self.KEPT]
        wait_for("the snapshot's files are gone", lambda: not left(), 30)

    KEPT = ("base",)


class Identity(RestoreCase):
    def test_01_clones_are_themselves(self):
        self.deck.run("clone", "base", "-n", "3", "--name", "c")
        names = ["c-1", "c-2", "c-3", "src"]
        script = ("hostname; cat /etc/machine-id; cat /proc/sys/kernel/random/uuid; "
                  "head -c 16 /dev/urandom | od -An -tx1 | tr -d ' '")
        said = {n: self.deck.sh(n, script).split() for n in names}
        for n in names:
            self.assertEqual(said[n][0], n)
            self.assertRegex(said[n][1], r"^[0-9a-f]{32}$")
        for field in (1, 2, 3):
            self.assertEqual(len({said[n][field] for n in names}), len(names), said)
        vms = {n: self.deck.vm(n) for n in names}
        for key in ("id", "generation", "pid", "vsock_path"):
            self.assertEqual(len({vms[n][key] for n in names}), len(names), key)
        for n in names[:3]:
            self.assertEqual((vms[n]["origin"], vms[n]["snapshot"]), ("restore", "base"))
            ack, = [e for e in self.deck.events(vms[n]["id"]) if e["name"] == "epoch.ack"]
            self.assertEqual(ack["fields"]["verdict"], "restored", ack)

    def test_02_the_first_random_bytes_differ(self):
        """Read by the very first command of each, in files that nobody else had the time to stir."""
        self.deck.run("clone", "base", "-n", "2", "--name", "r")
        got = [self.deck.sh(n, "cat /proc/sys/kernel/random/uuid") for n in ("r-1", "r-2")]
        self.assertNotEqual(*got)
        self.remove("r-1", "r-2")

    def test_03_private_to_each(self):
        for n in ("c-1", "c-2"):
            self.deck.sh(n, f"echo {n} > /run/own; echo {n} > /run/content")
        self.assertEqual(self.deck.sh("c-1", "cat /run/own /run/content"), "c-1\nc-1\n")
        self.assertEqual(self.deck.sh("c-2", "cat /run/own /run/content"), "c-2\nc-2\n")
        self.deck.restore("base", "c-later")
        for n in ("c-3", "src", "c-later"):
            self.assertEqual(self.deck.sh(n, "ls /run/own 2>/dev/null; cat /run/content"), "from-src\n", n)
        self.deck.run("snapshot", "verify", "base")
        self.remove("c-later")

    def test_04_output_from_the_snapshot_on(self):
        src_then = line_numbers(self.deck.run("logs", "src")[0])[1]
        self.deck.run("snapshot", "src", "lines")
        src_after = line_numbers(self.deck.run("logs", "src")[0])[1]
        self.deck.restore("lines", "writer")
        wait_for("the clone's main process goes on", lambda: line_numbers(
            self.deck.run("logs", "writer")[0])[1] > src_after + 10, 60)
        data = self.deck.run("logs", "writer")[0]
        first, _ = line_numbers(data)
        self.assertTrue(src_then <= first <= src_after + 1, (src_then, first, src_after))
        self.assertTrue(data.startswith(b"line-"), "it begins with a whole line")
        gaps = [e for e in self.deck.events("writer") if e["name"] == "output.gap"]
        self.assertEqual(gaps, [])
        self.remove("writer")
        self.deck.run("rm", "--snapshot", "lines")

    def test_05_a_clone_of_a_clone_of_a_clone(self):
        snapshot, parents = "base", []
        for n in (1, 2, 3):
            vm = f"gen-{n}"
            took = self.deck.restore(snapshot, vm)["boot_ms"]
            self.assertLess(took, 20_000)
            self.deck.sh(vm, f"echo {n} > /run/gen-{n}; head -c 3000000 /dev/urandom > /run/data-{n}")
            snapshot = f"snap-{n}"
            made = self.deck.json("snapshot", vm, snapshot)
            self.assertLess(made["pause_ms"], 5000)
            parents.append(made["parent"])
        self.assertEqual(parents, ["base", "snap-1", "snap-2"])
        sums = {n: self.deck.sh(f"gen-{n}", "sha256sum < /run/data-%d" % n) for n in (1, 2, 3)}
        self.remove("gen-1", "gen-2", "gen-3")
        self.deck.run("rm", "--snapshot", "snap-2", "snap-1")  # a snapshot needs none of its parents
        self.deck.run("snapshot", "verify", "snap-3")
        self.deck.restore("snap-3", "last")
        self.assertEqual(self.deck.sh("last", "cat /run/content /run/gen-1 /run/gen-2 /run/gen-3; hostname"),
                         "from-src\n1\n2\n3\nlast\n")
        for n, want in sums.items():
            self.assertEqual(self.deck.sh("last", f"sha256sum < /run/data-{n}"), want)
        wait_for("its main process goes on", lambda: line_numbers(self.deck.run("logs", "last")[0])[1] > 1, 30)
        self.remove("last")
        self.deck.run("rm", "--snapshot", "snap-3")

    def test_06_the_whole_life_of_a_clone(self):
        """It can be paused, stopped and powered off as any VM."""
        self.deck.run("pause", "c-3")
        self.deck.run("resume", "c-3")
        self.check_works("c-3")
        self.deck.kill_daemon()
        self.check_works("c-3")
        self.assertEqual(self.deck.vm("c-3")["snapshot"], "base")
        self.assertIn("c-3", self.deck.error("rm", "--snapshot", "base"))
        self.deck.run("stop", "c-3")
        vm = self.deck.vm("c-3")
        self.assertEqual((vm["state"], vm["reason"]), ("stopped", "powered off"))
        line_numbers(self.deck.run("logs", "c-3")[0])
        self.remove("c-1", "c-2", "c-3")

    def test_07_the_clock_is_right(self):
        """Although the snapshot is older: the other tests took their time."""
        base = self.deck.snapshot("base")
        self.deck.restore("base", "late")
        self.assertGreater(time.time() - base["created_ns"] / 1e9, 4, "older than the error that is allowed")
        self.check_clock("late")
        self.check_clock("src")
        self.remove("late")


class Chain(RestoreCase):
    def test_01_events_in_order_and_times(self):
        vm = self.deck.restore("base", "timed")
        events = self.deck.events(vm["id"])
        steps = [e["fields"]["step"] for e in events if e["name"] == "flow.step"]
        self.assertEqual(tuple(steps), CHAIN)
        for e in events:
            if e["name"] == "flow.step":
                self.assertEqual(e["fields"]["of"], len(CHAIN))
        names = [e["name"] for e in events]
        at = [names.index(n) for n in EVENTS]
        self.assertEqual(at, sorted(at), list(zip(EVENTS, at)))
        times = [e["mono_ns"] for e in events]
        self.assertEqual(times, sorted(times))
        self.deck.sh("timed", "true")
        timing = self.deck.json("timeline", "timed")
        phases = {p["name"]: p for p in timing["phases"]}
        self.assertEqual(tuple(phases), CHAIN + ("first exec",))
        self.assertEqual((timing["kind"], timing["result"], timing["subject"]), ("restore", "ok", "base"))
        self.assertEqual(timing["extra"]["pool"], False)
        for before, after in zip(CHAIN, CHAIN[1:]):
            a, b = phases[before], phases[after]
            self.assertAlmostEqual(a["at_ms"] + a["ms"], b["at_ms"], delta=0.01)
        self.assertAlmostEqual(sum(phases[n]["ms"] for n in CHAIN), timing["total_ms"], delta=2)
        self.assertEqual((phases["rebind"]["limit_s"], phases["output"]["limit_s"]), (5, 30))
        self.assertGreater(phases["first exec"]["ms"], 0)
        self.assertGreaterEqual(phases["first exec"]["at_ms"], timing["total_ms"])
        self.assertAlmostEqual(vm["boot_ms"], timing["total_ms"], delta=1)

    def test_02_what_is_usual(self):
        self.deck.run("clone", "base", "-n", "2", "--name", "more")
        timing = self.deck.json("timeline", "more-1")
        self.assertGreaterEqual(timing["usual"]["count"], 2)
        self.assertGreater(timing["usual"]["p50_ms"], 0)
        rows = self.deck.json("restores")
        self.assertLessEqual({"timed", "more-1", "more-2"}, {r["vm_name"] for r in rows})
        self.assertEqual(rows[0]["kind"], "restore")
        usual = self.deck.snapshot("base")["restores"]
        self.assertEqual((usual["count"], usual["failed"]), (3, 0))
        values = [usual[k] for k in ("p50_ms", "p90_ms", "p99_ms", "max_ms")]
        self.assertEqual(values, sorted(values))
        totals = [r["total_ms"] for r in rows if r["subject"] == "base"]
        self.assertAlmostEqual(values[3], max(totals), delta=0.01)
        self.assertIn("hello", self.deck.text("timeline", "more-1"))
        self.assertIn("more-1", self.deck.text("restores"))
        self.remove("timed", "more-1", "more-2")
        self.assertIn("hello", self.deck.text("timeline", "more-1"), "its row outlives the VM")

    def test_03_six_at_once(self):
        """A queue with places, at most one restore a processor; one that fails takes none along."""
        r, asker = self.deck.rpc(subscribe=True), self.deck.rpc()
        viewer, killed, places, running, most = self.deck.rpc(), None, [], set(), 0
        n = asker.send("vm.clone", **{"from": "base", "count": 6, "prefix": "six"})
        ended, listed = 0, []
        while ended < 6:
            ev = r.next_event()
            name, fields = ev["vm_name"], ev["fields"]
            if not name.startswith("six-"):
                continue
            if ev["name"] == "queue.wait":
                places.append(fields["place"])
                listed += [v["step"] for v in viewer.call("vm.list") if v["step"]]
            elif ev["name"] == "flow.step" and fields["step"] == "check":
                running.add(name)
                most = max(most, len(running))
            elif ev["name"] == "vmm.spawn" and not killed:
                killed = name
                running.discard(name)  # its end lets the next one in before it is told
                os.kill(fields["pid"], signal.SIGKILL)
            elif ev["name"] in ("vm.restore", "vm.restore.failed"):
                running.discard(name)
                ended += 1
        result, why = asker.answer(n)
        self.assertEqual(why, "")
        self.assertEqual([f["name"] for f in result["failed"]], [killed])
        self.assertIn("ended", result["failed"][0]["error"])
        self.assertEqual(len(result["vms"]), 5)
        self.assertLessEqual(most, os.cpu_count())
        if os.cpu_count() < 6:
            self.assertEqual(places, list(range(1, len(places) + 1)))
            self.assertGreaterEqual(len(places), 6 - os.cpu_count())
            waits = [s for s in listed if s["name"] == "queue"]
            self.assertTrue(any(s.get("place", 0) >= 1 for s in waits), listed)
        names = [vm["name"] for vm in result["vms"]]
        for name in names:
            self.check_works(name)
        self.assertEqual(len({self.deck.sh(n, "cat /proc/sys/kernel/random/uuid") for n in names}), 5)
        self.remove(*names)
        for c in (r, asker, viewer):
            c.close()

    def test_04_temporary_snapshot_of_a_vm(self):
        result = self.deck.json("clone", "src", "-n", "3", "--name", "t")
        name = result["snapshot"]
        self.assertTrue(self.deck.snapshot(name)["temporary"])
        for vm in result["vms"]:
            self.assertEqual(self.deck.sh(vm["name"], "cat /run/content"), "from-src\n")
        self.remove("t-1")
        self.assertIsNotNone(self.deck.snapshot(name))
        self.deck.kill_daemon()
        self.assertIsNotNone(self.deck.snapshot(name), "clones of it live")
        self.check_works("t-2")
        self.deck.run("kill", "t-2")
        self.assertIsNotNone(self.deck.snapshot(name))
        self.deck.run("stop", "t-3")
        self.assertIsNone(self.deck.snapshot(name))
        self.snapshots_gone()
        self.remove("t-2", "t-3")

    def test_05_temporary_snapshot_and_no_daemon(self):
        """Its last clone ends while no daemon looks: the next one removes it."""
        result = self.deck.json("clone", "src", "--name", "alone")
        self.deck.kill_daemon()
        pid = result["vms"][0]["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_for("the VMM is gone", lambda: not alive(pid))
        self.assertEqual(self.deck.vm("alone-1")["state"], "failed")
        self.assertIsNone(self.deck.snapshot(result["snapshot"]))
        self.snapshots_gone()
        self.remove("alone-1")

    def test_06_interrupted_client(self):
        """Ctrl-C leaves the daemon's work alone: what was asked for is there at the end, whole."""
        r = self.deck.rpc(subscribe=True)
        source = self.deck.vm("src")["pid"]
        os.kill(source, signal.SIGSTOP)  # the work can't be done before the client is interrupted
        try:
            p = self.deck.popen("clone", "src", "-n", "3", "--name", "cut")
            r.wait_event("flow.step", "src", flow="snapshot", step="quiesce")
            p.send_signal(signal.SIGINT)
            _, err = p.communicate(timeout=60)
        finally:
            os.kill(source, signal.SIGCONT)
        self.assertEqual(p.returncode, 130, err)
        for n in (1, 2, 3):
            if (self.deck.vm(f"cut-{n}") or {}).get("state") != "running":
                r.wait_event("vm.restore", f"cut-{n}")
            self.check_works(f"cut-{n}")
        name = self.deck.vm("cut-1")["snapshot"]
        self.remove("cut-1", "cut-2", "cut-3")
        self.assertIsNone(self.deck.snapshot(name))
        self.snapshots_gone()
        self.assertEqual(len(self.deck.vmms()), 1)
        r.close()

    def test_07_a_client_killed_in_a_snapshot(self):
        r = self.deck.rpc(subscribe=True)
        p = self.deck.popen("snapshot", "src", "orphan")
        r.wait_event("flow.step", "src", flow="snapshot", step="memory")
        p.kill()
        p.communicate()
        if not self.deck.snapshot("orphan")["state"] == "ready":
            r.wait_event("vm.snapshot", "src")
        self.deck.run("snapshot", "verify", "orphan")
        self.deck.run("rm", "--snapshot", "orphan")
        self.check_works("src")
        r.close()


class Failing(RestoreCase):
    """Chains that fail. Two that only a limit ends are begun first and looked at last."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stuck, cls.mute = cls.begin("stuck", "vmm.spawn"), cls.begin("mute", "vmm.spawn")
        os.kill(cls.stuck[1]["fields"]["pid"], signal.SIGSTOP)
        cls.addClassCleanup(cls.let_go, cls.stuck[1]["fields"]["pid"])
        for sock in (cls.deck.runtime / "vms" / cls.mute[1]["vm"]).glob("v.sock_*"):
            sock.unlink()  # the agent dials, and nobody is there
        cls.began = time.monotonic()

    @classmethod
    def begin(cls, name, event):
        events, asker = cls.deck.rpc(subscribe=True), cls.deck.rpc()
        n = asker.send("vm.restore", snapshot="base", name=name)
        return (asker, events.wait_event(event, name), n, events)

    @staticmethod
    def let_go(pid):
        if alive(pid):
            os.kill(pid, signal.SIGCONT)

    def check_failed(self, name, vm_id, step=None):
        """The row says where and why, and nothing else is left of it."""
        row = next(r for r in self.deck.json("restores", "--limit", "100") if r["id"] == vm_id)
        self.assertEqual((row["result"], row["vm_name"]), ("failed", name))
        if step:
            self.assertEqual(row["step"], step, row)
        self.assertEqual(row["phases"][-1]["name"], row["step"])
        self.assertTrue(row["last_event"], row)
        self.assertGreater(len(row["why"]), 10)
        self.assertIsNone(self.deck.vm(name))
        wait_for(f"nothing of {name} is left", lambda: not [p for p in self.deck.stored() if vm_id in p], 20)
        failed = [e for e in self.deck.events(vm_id) if e["name"] == "vm.restore.failed"]
        self.assertEqual([e["fields"]["step"] for e in failed], [row["step"]])
        return row

    def test_01_vmm_killed_at_each_step(self):
        ends = {}
        for step in CHAIN[CHAIN.index("api"):]:
            with self.subTest(step=step):
                asker, spawn, n, events = self.begin("victim", "vmm.spawn")
                events.wait_event("flow.step", "victim", step=step)
                os.kill(spawn["fields"]["pid"], signal.SIGKILL)
                result, why = asker.answer(n)
                if result is None:
                    self.assertGreater(len(why), 10)
                    ends[step] = self.check_failed("victim", spawn["vm"])["step"]
                else:  # it was through when the signal came
                    if self.deck.vm("victim")["state"] != "failed":
                        events.wait_event("vm.state", "victim", to="failed")
                    self.remove("victim")
                self.assertFalse(alive(spawn["fields"]["pid"]))
                asker.close()
                events.close()
        self.assertGreater(len(ends), 3, ends)
        for step, end in ends.items():
            self.assertGreaterEqual(CHAIN.index(end), CHAIN.index(step))

    def test_02_the_next_one_works_at_once(self):
        """A failed one gives its place in the queue back."""
        for n in range(3):
            began = time.monotonic()
            self.deck.restore("base", "next")
            self.assertLess(time.monotonic() - began, 15)
            self.check_works("next")
            self.remove("next")

    def test_03_state_replaced_behind_the_check(self):
        self.deck.run("snapshot", "src", "swapped")
        path = self.deck.home / "snapshots" / "swapped" / "state"
        size = path.stat().st_size
        events, asker = self.deck.rpc(subscribe=True), self.deck.rpc()
        n = asker.send("vm.restore", snapshot="swapped", name="wrong")
        vm_id = events.wait_event("flow.step", "wrong", step="api")["vm"]
        path.write_bytes(os.urandom(size))
        result, why = asker.answer(n)
        self.assertIsNone(result)
        self.assertGreater(len(why), 10)
        self.check_failed("wrong", vm_id, "load")
        self.assertEqual(self.deck.snapshot("swapped")["restores"]["failed"], 1)
        self.deck.run("rm", "--snapshot", "swapped")
        asker.close()
        events.close()

    def test_04_killed_by_the_operator(self):
        """A restore under way can be given up."""
        asker, ev, n, events = self.begin("unwanted", "vmm.spawn")
        killer = self.deck.rpc()
        killer.answer(killer.send("vm.kill", vm="unwanted"))
        result, _ = asker.answer(n)
        if result is None:
            wait_for("nothing of it is left", lambda: not [p for p in self.deck.stored() if ev["vm"] in p], 20)
            self.assertIsNone(self.deck.vm("unwanted"))
        else:
            self.remove("unwanted")
        self.assertFalse(alive(ev["fields"]["pid"]))
        for c in (asker, killer, events):
            c.close()

    def test_90_the_agent_never_answers(self):
        asker, ev, n, _ = self.mute
        result, why = asker.answer(n)
        self.assertIsNone(result)
        self.check_failed("mute", ev["vm"], "dial")
        self.assertIn("dial", why)
        self.assertFalse(alive(ev["fields"]["pid"]))

    def test_91_the_vmm_is_stuck(self):
        asker, ev, n, _ = self.stuck
        result, why = asker.answer(n)
        self.assertIsNone(result)
        self.check_failed("stuck", ev["vm"], "api")
        self.assertIn("no answer", why)
        wait_for("the stuck VMM is gone", lambda: not alive(ev["fields"]["pid"]), 20)
        self.assertLess(time.monotonic() - self.began, 90)
        self.assertEqual(len(self.deck.vmms()), 1)
        self.deck.restore("base", "after")
        self.check_works("after")
        self.remove("after")


class Pool(RestoreCase):
    def ready(self, n):
        return wait_for(f"{n} wait in the pool", lambda: self.deck.snapshot("base")["pool"]["ready"] == n, 60)

    def test_01_filled_hidden_taken_refilled(self):
        r = self.deck.rpc(subscribe=True)
        self.deck.run("pool", "base", "2")
        for _ in range(2):
            ev = r.wait_event("pool.ready", snapshot="base")
            self.assertGreater(ev["fields"]["mib"], 1)
        self.ready(2)
        self.assertGreater(self.deck.snapshot("base")["pool"]["idle_mib"], 1)
        self.assertEqual([vm["name"] for vm in self.deck.json("ls")], ["src"])
        self.assertEqual(self.deck.snapshot("base")["users"], [])
        self.assertEqual(len(self.deck.vmms()), 3)
        waiting = set(self.deck.vmms()) - {self.src["pid"]}
        self.deck.run("clone", "base", "-n", "3", "--name", "p")
        names, pools = ["p-1", "p-2", "p-3"], []
        for name in names:
            timing = self.deck.json("timeline", name)
            pools.append(timing["extra"]["pool"])
            if timing["extra"]["pool"]:
                self.assertNotIn("spawn", [p["name"] for p in timing["phases"]])
                self.assertIn(self.deck.vm(name)["pid"], waiting)
        self.assertEqual(pools, [True, True, False])
        said = {n: self.deck.sh(n, "hostname; cat /etc/machine-id; cat /proc/sys/kernel/random/uuid").split()
                for n in names}
        self.assertEqual([said[n][0] for n in names], names)
        for field in (1, 2):
            self.assertEqual(len({said[n][field] for n in names}), 3, said)
        self.check_clock("p-1")
        self.ready(2)
        self.assertEqual(len(self.deck.vmms()), 1 + 3 + 2)
        self.deck.kill_daemon()
        self.check_works("p-1")
        self.remove(*names)
        r.close()

    def test_02_a_killed_daemon(self):
        """What waited is gone, and made anew."""
        self.ready(2)
        before = set(self.deck.vmms()) - {self.src["pid"]}
        self.deck.kill_daemon()
        self.deck.run("ls")
        self.ready(2)
        wait_for("the old ones are gone", lambda: not any(alive(p) for p in before), 20)
        self.assertEqual(len(self.deck.vmms()), 3)

    def test_03_a_waiting_one_dies(self):
        self.ready(2)
        victim = (set(self.deck.vmms()) - {self.src["pid"]}).pop()
        r = self.deck.rpc(subscribe=True)
        os.kill(victim, signal.SIGKILL)
        r.wait_event("pool.ready", snapshot="base")
        self.ready(2)
        self.assertEqual([vm["name"] for vm in self.deck.json("ls")], ["src"])
        r.close()

    def test_04_limits_and_off(self):
        self.deck.run("pool", "base", "0")
        wait_for("those that waited are gone", lambda: self.deck.vmms() == [self.src["pid"]], 20)
        self.deck.run("pool", "--max-mib", "16", "base", "4")
        why = wait_for("it says why there are fewer", lambda: self.deck.snapshot("base")["pool"]["why"], 30)
        self.assertTrue(re.search(r"16 MiB", why), why)
        self.assertLess(self.deck.snapshot("base")["pool"]["ready"], 4)
        self.deck.run("pool", "base", "65", code=2)
        self.deck.error("pool", "nothing", "1")
        self.deck.run("pool", "--max-mib", "512", "base", "1")
        self.ready(1)

    def test_05_removal_ends_the_pool(self):
        self.deck.run("rm", "--snapshot", "base")
        wait_for("those that waited are gone", lambda: self.deck.vmms() == [self.src["pid"]], 20)
        wait_for("nothing of them is left", lambda: len(list((self.deck.home / "vms").glob("*"))) == 1, 20)
        self.deck.run("snapshot", "src", "base")
        self.assertEqual(self.deck.snapshot("base")["pool"]["wanted"], 0)
