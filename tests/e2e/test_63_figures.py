"""Figures while somebody watches, vmdeck top, the console's host view and pages, and line mode."""
import json
import os
import signal
import subprocess

from decklib import BUILD, LIMIT, DeckCase
from tmuxlib import Terminal


class Figures(DeckCase):
    process = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.deck.boot("web", "--", "sh", "-c", "while :; do echo out; sleep 0.05; done")

    def test_watch(self):
        rpc = self.deck.rpc()
        self.addCleanup(rpc.close)
        self.assertEqual(rpc.call("host.watch", interval_ms=100), {"interval_ms": 100})
        samples = []
        while len(samples) < 3:
            line = rpc.read_line()
            if line.get("method") == "host.stats":
                samples.append(line["params"])
        host, vm = samples[-1], samples[-1]["vms"][0]
        self.assertEqual(len(host["cpus"]), os.sysconf("SC_NPROCESSORS_ONLN"))
        self.assertIsNone(samples[0]["cpu"])
        self.assertTrue(0 <= host["cpu"] <= 100)
        self.assertGreater(host["mem"]["total"], host["mem"]["available"])
        self.assertEqual(host["daemon"]["pid"], self.deck.daemon_pid())
        self.assertEqual(vm["id"], self.deck.vm("web")["id"])
        self.assertGreater(vm["rss"], 0)
        self.assertEqual([q["name"] for q in host["queues"]], ["restores", "snapshots"])
        self.assertEqual(rpc.call("host.watch", interval_ms=0), {"interval_ms": 0})

    def test_top(self):
        self.assertRegex(self.deck.text("top"), r"host: cpu [0-9.]+ % of [0-9]+ cores(.|\n)*\nweb ")
        lines = self.deck.text("top", "--json", "-n", "2").splitlines()
        self.assertEqual(len(lines), 2)
        self.assertGreater(json.loads(lines[0])["load"][0], -1)

    def test_console(self):
        t = Terminal([BUILD / "vmdeck"], self.deck.env, cols=110, rows=60)
        self.addCleanup(t.close)
        t.wait(lambda s: any("web" in line and " % " in line for line in s.split("\n")))
        t.keys("6")
        t.wait(lambda s: "[6 Host]" in s and "vmdeckd" in s and "home's disk" in s and "/dev/kvm" in s)
        t.keys("1")
        for key, text in (("v", "VMM memory"), ("h", "last check"), ("d", "generation"), ("d", "[output]")):
            t.keys(key)
            t.wait(text)
        t.type("dd:host")
        t.keys("Enter")
        t.wait("[6 Host]")
        t.keys("Q")
        t.wait_exit(0)

    def plain(self, *args, **kw):
        return self.deck.popen("--plain", *args, stdin=subprocess.PIPE, **kw)

    def finish(self, p, text):
        out, err = p.communicate(text.encode(), timeout=LIMIT)
        self.assertNotIn(b"\x1b", out + err)
        return p.returncode, out.decode() + err.decode()

    def test_plain_commands(self):
        code, out = self.finish(self.plain(), "help\n:ls\nexec web -- printf '\\033[31mred %s\\n' 'a b'\n"
                                "frobnicate\nkill web\nno\npause\nresume web web\nquit\n")
        self.assertEqual(code, 0)
        for text in ("1 VM. Type help", "web: running, image mini", "list the VMs", "NAME", "red a b",
                     "no command 'frobnicate'", "End the VMM at once: web? Type yes", "left as it is"):
            self.assertIn(text, out)
        self.assertEqual(self.deck.vm("web")["state"], "running")

    def test_plain_events_and_yes(self):
        p = self.plain()
        self.addCleanup(p.wait)
        self.addCleanup(p.kill)
        p.stdin.write(b"boot --name two -- sleep 1000\nkill two\nyes\nrm two\nyes\nquit\n")
        code, out = self.finish(p, "")
        self.assertEqual(code, 0)
        for text in (r"\d\d:\d\d:\d\d two: is being booted from image mini", r"two: ready after [0-9.]+ s",
                     r"two: (stopped|failed)", "two: removed"):
            self.assertRegex(out, text)
        self.assertIsNone(self.deck.vm("two"))

    def test_plain_as_log_ends_by_signal(self):
        p = self.deck.popen("--plain")
        self.assertIn(b"Type help", p.stdout.readline())
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=LIMIT)
        self.assertEqual(p.returncode, 0)

    def test_plain_read_only(self):
        code, out = self.finish(self.plain("--read-only"), "pause web\nquit\n")
        self.assertEqual(code, 0)
        self.assertIn("This connection is read-only.", out)
        self.assertIn("read-only connection: vm.pause is refused", out)
