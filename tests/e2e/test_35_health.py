"""Health of VMs: the state with its reason follows what the guest, its VMM and the operator do."""
import os
import signal

from decklib import DeckCase, processes_with, wait_for


class HealthCase(DeckCase):
    def setUp(self):
        self.rpc = self.deck.rpc(subscribe=True)
        self.addCleanup(self.rpc.close)

    def change(self, vm, to):
        """Waits for the change to a state."""
        return self.rpc.wait_event("health.change", vm, to=to)

    def health(self, vm):
        return self.deck.json("health", vm)

    def remove(self, *names):
        self.deck.run("rm", "-f", *names)


class Health:
    """With real VMs, and with processes in their place."""

    def test_01_the_agent_is_asked(self):
        self.deck.boot("plain")
        ev = self.change("plain", "healthy")
        self.assertEqual((ev["fields"]["from"], ev["fields"]["probe"]), ("starting", "agent"))
        self.assertIn("the agent answered in", ev["fields"]["reason"])
        h = self.health("plain")
        self.assertEqual((h["state"], h["probe"], h["interval_s"], h["failed"], h["withheld"], h["name"]),
                         ("healthy", "agent", 10.0, 0, False, "plain"))
        self.assertGreater(h["at_ns"], h["since_ns"] - 10**9)
        self.assertGreaterEqual(h["took_ms"], 0)
        self.assertEqual(self.deck.vm("plain")["health"]["state"], "healthy")
        self.assertIn("HEALTH", self.deck.text("ls"))
        shown = self.deck.text("health", "plain")
        for part in ("healthy for", "the agent answered", "agent", "ago, took"):
            self.assertIn(part, shown)

    def test_02_paused_and_resumed(self):
        self.deck.run("pause", "plain")
        self.assertEqual(self.change("plain", "unknown")["fields"]["reason"], "paused")
        self.deck.run("resume", "plain")
        self.change("plain", "healthy")

    def test_03_a_new_daemon_checks_again(self):
        self.deck.kill_daemon()
        self.deck.run("ls")
        rpc = self.deck.rpc(subscribe=True)
        self.addCleanup(rpc.close)
        wait_for("it is healthy again", lambda: self.health("plain")["state"] == "healthy")

    def test_04_stopped(self):
        self.deck.run("kill", "plain")
        ev = self.change("plain", "stopped")
        self.assertEqual((ev["fields"]["from"], ev["fields"]["reason"]), ("healthy", "killed"))
        self.assertEqual(self.health("plain")["state"], "stopped")
        self.remove("plain")

    def test_05_a_command(self):
        ok = self.guest_path("ok")
        self.deck.boot("cmd", "--health-exec", f"echo looked; echo for {ok} >&2; test -e {ok}",
                       "--health-interval", "0.2", "--health-start-limit", "60", "--", "sh", "-c",
                       f"touch {ok}; exec sleep 1000")
        h = self.health("cmd")
        self.assertEqual((h["state"], h["probe"], h["reason"]), ("healthy", "exec", f"exit code 0: for {ok}"))
        self.deck.sh("cmd", f"rm {ok}")
        self.assertEqual(self.change("cmd", "unhealthy")["fields"]["reason"], f"exit code 1: for {ok}")
        self.deck.sh("cmd", f"touch {ok}")
        self.assertEqual(self.change("cmd", "healthy")["fields"]["from"], "unhealthy")

    def test_06_the_vmm_is_killed(self):
        pid = self.deck.vm("cmd")["pid"]
        os.kill(pid, signal.SIGKILL)
        gone = self.rpc.wait_event("child.exit", "cmd")
        changes = [e for e in self.deck.events("cmd") if e["name"] == "health.change"]
        last = changes[-1]
        self.assertEqual(last["fields"]["to"], "unreachable")
        self.assertLess(abs(last["mono_ns"] - gone["mono_ns"]), 10**9)
        self.assertEqual(self.deck.vm("cmd")["state"], "failed")
        self.assertEqual(self.health("cmd")["state"], "unreachable")
        self.remove("cmd")

    def test_07_a_command_that_hangs(self):
        mark = self.guest_path("hangs")
        self.deck.boot("slow", "--health-exec", f"[ -e {mark} ] || exit 0; echo stuck; exec sleep 4711",
                       "--health-interval", "0.2", "--health-timeout", "0.5", "--health-start-limit", "60")
        self.deck.sh("slow", f"touch {mark}")
        reason = self.change("slow", "timeout")["fields"]["reason"]
        self.assertRegex(reason, "^no answer within 0.5 s: the command was ended; its last line: stuck")
        self.deck.sh("slow", f"rm {mark}")
        self.change("slow", "healthy")
        wait_for("no command is left", lambda: not self.running_in("slow", "sleep 4711"))
        self.remove("slow")  # in the middle of whatever is under way

    def test_08_an_agent_that_is_silent(self):
        self.deck.boot("silent", "--health-interval", "0.2", "--health-timeout", "0.5")
        self.change("silent", "healthy")
        pid = self.deck.vm("silent")["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            reason = self.change("silent", "timeout")["fields"]["reason"]
        finally:
            os.kill(pid, signal.SIGCONT)
        self.assertEqual(reason, "no answer within 0.5 s: the agent is connected but silent")
        self.change("silent", "healthy")
        self.assertIn("answered", self.deck.text("ping", "silent"))
        self.remove("silent")

    def test_09_the_start_limit(self):
        before = self.deck.stored()
        said = self.deck.error("boot", "--name", "never", "--health-exec", "echo not yet; exit 3",
                               "--health-start-limit", "0.5")
        self.assertIn("was not healthy within its start limit of 0.5 s and was killed: exit code 3: not yet", said)
        self.assertIsNone(self.deck.vm("never"))
        create = self.rpc.wait_event("vm.create", "never")
        self.assertEqual(processes_with(create["vm"]), [], "killed before the answer")
        self.rpc.wait_event("vm.boot.failed", create["vm"])
        wait_for("its files are gone", lambda: self.deck.stored() == before, 30)

    def test_10_wrong_options(self):
        for args, part in (
                (("--health-url", "http://10.0.2.100/"), "VM has no network: give it --net"),
                (("--health-tcp", "80"), "VM has no network: give it --net"),
                (("--health-url", "https://10.0.2.100/"), "is not http://"),
                (("--health-url", "http://guest/"), "names are not looked up"),
                (("--health-tcp", "0"), "port"),
                (("--health-interval", "soon"), "is not 0.1 to"),
                (("--health-exec", "true", "--health-tcp", "1"), "a VM has one health check"),
                (("--health-snapshot", "a b"), "snapshot name")):
            self.assertIn(part, self.deck.error("boot", "--name", "wrong", *args))
        self.assertIsNone(self.deck.vm("wrong"))


class HealthOfProcesses(Health, HealthCase):
    process = True


class HealthOfVms(Health, HealthCase):
    def test_20_the_startup_snapshot(self):
        self.deck.boot("first", "--health-exec", "echo up", "--health-snapshot", "warm",
                       "--health-start-limit", "60")
        taken = self.rpc.wait_event("vm.snapshot", "first")
        said = self.rpc.wait_event("health.snapshot", "first")
        self.assertEqual((said["fields"]["snapshot"], said["fields"]["result"]), ("warm", "taken"))
        healthy = self.change("first", "healthy")
        self.assertLess(taken["seq"], healthy["seq"], "Healthy is withheld until the snapshot is there")
        # The next one finds it, and does without.
        self.deck.boot("second", "--health-exec", "echo up", "--health-snapshot", "warm")
        said = self.rpc.wait_event("health.snapshot", "second")
        self.assertEqual(said["fields"]["result"], "skipped")
        self.assertIn("exists", said["fields"]["why"])
        self.change("second", "healthy")

    def test_21_copies_are_checked_the_same_way(self):
        self.deck.restore("warm", "copy")
        ev = self.change("copy", "healthy")
        self.assertEqual((ev["fields"]["probe"], ev["fields"]["reason"]), ("exec", "exit code 0: up"))
        self.deck.run("clone", "second", "-n", "2", "--name", "c")
        for name in ("c-1", "c-2"):
            wait_for("a clone is healthy", lambda n=name: self.health(n)["state"] == "healthy")
        self.assertEqual(self.health("c-1")["target"], "echo up")
        self.remove("copy", "c-1", "c-2")

    def test_22_a_snapshot_does_not_change_it(self):
        self.deck.run("snapshot", "second", "later")
        self.assertEqual(self.health("second")["state"], "healthy")
        changes = [e["fields"]["to"] for e in self.deck.events("second") if e["name"] == "health.change"]
        self.assertEqual(changes, ["healthy"])
        self.remove("first", "second")
