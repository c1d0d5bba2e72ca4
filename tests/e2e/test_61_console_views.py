"""The console's views: snapshots, clones and restores by keys, over real VMs."""
import os
import re
import subprocess
import tempfile

from decklib import BUILD, LIMIT, DeckCase, running_program
from tmuxlib import Terminal


def row_has(*words):
    return lambda screen: any(all(w in line for w in words) for line in screen.split("\n"))


class Views(DeckCase):
    def open(self, **kw):
        t = Terminal([BUILD / "vmdeck"], self.deck.env, **kw)
        self.addCleanup(t.close)
        t.wait("Events")
        return t

    def call(self, method, **params):
        rpc = self.deck.rpc()
        try:
            return rpc.call(method, **params)
        finally:
            rpc.close()

    def tearDown(self):
        for vm in self.deck.json("ls"):
            self.deck.run("rm", "-f", vm["name"])
        for s in self.call("snapshot.list"):
            self.call("snapshot.rm", name=s["name"])

    def test_snapshot_clone_restore_by_keys(self):
        self.deck.boot("web")
        t = self.open()
        t.wait(row_has("web", "running"))
        t.keys("S")
        t.wait("snapshot of web")
        t.keys("Enter")
        t.wait(lambda s: "snapshot web-1 of web: paused" in s and "2 Snapshots 1" in s)
        t.keys("2")
        t.wait(row_has("web-1", "MiB"))
        t.wait("none: D removes it")
        # Three clones of it, each with its waterfall.
        t.keys("C")
        t.wait("clones of web-1")
        t.type("3")
        t.keys("Enter")
        t.wait("3 clones made")
        t.wait(lambda s: re.search(r"users +web-1-1, web-1-2, web-1-3", s))
        t.keys("3")
        t.wait(lambda s: all(row_has(f"web-1-{n}", "ok")(s) for n in (1, 2, 3)))
        t.wait(lambda s: "PHASE" in s and row_has("hello", "█")(s) and row_has("rebind", " 5 s")(s))
        t.wait(lambda s: re.search(r"usually .*\(3 times\)", s))
        # What lives on it keeps it.
        t.keys("2")
        t.keys("D")
        t.wait("In use by web-1-1")
        t.keys("y")
        t.wait("is mapped by 3 live VMs: 'web-1-1', 'web-1-2', 'web-1-3'")
        t.keys("1")
        t.wait(row_has("web-1-3", "clone of web-1"))
        for n in (1, 2, 3):
            self.deck.run("rm", "-f", f"web-1-{n}")
        t.keys("2")
        t.wait("none: D removes it")
        t.keys("D")
        t.wait("[ No ]")
        t.keys("y")
        t.wait("No snapshot yet.")
        t.keys("Q")
        t.wait_exit(0)

    def test_restore_dialog_timeline_and_events(self):
        self.deck.boot("web")
        self.call("snapshot.create", vm="web", name="base")
        t = self.open(cols=80, rows=24)
        t.keys("2")
        t.wait(row_has("base", "web"))
        t.keys("v")
        t.wait("base is whole:")
        t.keys("Enter")
        t.wait("a VM from snapshot base")
        t.type("copy")
        t.keys("Enter")
        t.wait("copy restored from base in")
        t.keys("1")
        t.wait(row_has("copy", "clone of base"))
        t.keys("j")
        t.wait("── copy ")
        t.keys("t")
        t.wait(lambda s: "[timeline]" in s and row_has("health", "11 s")(s))
        t.keys("t")
        t.wait("[output]")
        t.type(":events")
        t.keys("Enter")
        t.wait(row_has("copy", "vm.restore"))
        t.type("/health.change")
        t.keys("Enter")
        t.wait(row_has("copy", "starting"))
        t.keys("Escape")
        t.keys("4")
        t.wait(row_has("mini", "ready"))
        t.keys("Q")
        t.wait_exit(0)

    def test_daemon_restart_in_the_snapshots_view(self):
        self.deck.boot("web")
        self.call("snapshot.create", vm="web", name="base")
        t = self.open()
        t.keys("2")
        t.wait(row_has("base", "web"))
        self.deck.kill_daemon()
        t.wait("connected to the daemon again")
        self.call("snapshot.create", vm="web", name="later")
        t.wait(row_has("later", "web"))
        t.keys("Q")
        t.wait_exit(0)

    def test_nothing_happens_while_nothing_changes(self):
        """The console does not wake up in any view: a paused VM tells no vitals."""
        self.deck.boot("web")
        self.call("snapshot.create", vm="web", name="base")
        self.deck.run("pause", "web")
        t = self.open()
        t.wait(row_has("web", "paused"))
        pid, = running_program(BUILD / "vmdeck", self.deck.home)
        for view in "12345":
            t.keys(view)
            t.wait(f"[{view} ")
            with self.subTest(view=view):
                # What the switch itself set off may fall into the first look.
                looks = [self.calls_in_2_s(pid)]
                while len(looks[-1]) > 1 and len(looks) < 4:
                    looks.append(self.calls_in_2_s(pid))
                self.assertLessEqual(len(looks[-1]), 1, "".join(looks[-1]))
        t.keys("Q")
        t.wait_exit(0)

    def calls_in_2_s(self, pid):
        """System calls that begin while it is watched; the one it waits in is the first."""
        with tempfile.TemporaryDirectory() as d:
            trace = os.path.join(d, "trace")
            subprocess.run(["timeout", "-s", "INT", "2", "strace", "-f", "-o", trace, "-p", str(pid)],
                           timeout=LIMIT, capture_output=True)
            with open(trace) as f:
                return [line for line in f if "(" in line]
