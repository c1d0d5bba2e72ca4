"""The console in a real terminal: what a newcomer does in the first two minutes."""
import os
import signal

from decklib import BUILD, DeckCase, alive, running_program, wait_for
from tmuxlib import Terminal


class Console(DeckCase):
    def open(self, **kw):
        t = Terminal([BUILD / "vmdeck"], self.deck.env, **kw)
        self.addCleanup(t.close)
        return t

    def tearDown(self):
        for vm in self.deck.json("ls"):
            self.deck.run("rm", "-f", vm["name"])

    def test_boot_type_stop(self):
        t = self.open()
        t.wait("Press b")
        t.keys("b")
        t.wait("mini")
        t.keys("Enter")
        t.wait("running")
        t.keys("a")
        t.wait("KEYS: guest")
        t.type("echo typed-$((3*7))\n")
        t.wait("typed-21")
        t.keys("C-]")
        t.type("d")
        t.wait(lambda s: "KEYS: guest" not in s)
        t.keys("x")
        t.keys("y")
        t.wait("stopped")
        t.keys("q")
        t.wait_exit(0)

    def test_help_resize_and_small_screens(self):
        self.deck.boot("one")
        t = self.open()
        t.wait("one")
        t.keys("?")
        t.wait("boot")
        t.keys("Escape")
        for cols, rows in ((80, 24), (40, 10), (20, 5), (160, 50)):
            t.resize(cols, rows)
            t.keys("j")
        t.wait("one")
        t.keys("q")
        t.wait_exit(0)

    def test_state_changes_show_without_a_key(self):
        t = self.open()
        t.wait("Press b")
        self.deck.boot("live")
        t.wait(lambda s: "live" in s and "running" in s)
        self.deck.run("pause", "live")
        t.wait("paused")
        self.deck.run("rm", "-f", "live")
        t.wait(lambda s: "live" not in s)
        t.keys("q")
        t.wait_exit(0)

    def test_kill_asks_first(self):
        self.deck.boot("keep")
        t = self.open()
        t.wait("keep")
        t.keys("X")
        t.wait(lambda s: "kill" in s.lower() and "keep" in s)
        t.keys("Enter")  # the default is No
        t.keys("j")
        self.assertEqual(self.deck.vm("keep")["state"], "running")
        t.keys("X")
        t.wait(lambda s: "kill" in s.lower())
        t.keys("y")
        t.wait("stopped")
        t.keys("q")
        t.wait_exit(0)

    def test_daemon_restart_while_open(self):
        self.deck.boot("stays")
        t = self.open()
        t.wait("stays")
        self.deck.kill_daemon()
        t.wait(lambda s: "stays" in s and "running" in s and "lost" not in s)
        self.assertEqual(self.deck.vm("stays")["state"], "running")
        t.keys("q")
        t.wait_exit(0)

    def test_no_color(self):
        self.deck.boot("mono")
        env = dict(self.deck.env, NO_COLOR="1")
        t = Terminal([BUILD / "vmdeck"], env)
        self.addCleanup(t.close)
        t.wait("running")
        self.assertNotRegex(t.screen(colours=True), r"\x1b\[[0-9;]*(3[0-7]|4[0-7]|9[0-7]|38;|48;)")
        t.keys("q")
        t.wait_exit(0)

    def test_terminal_is_restored_on_a_crash(self):
        t = self.open()
        t.wait("Press b")
        pid, = running_program(BUILD / "vmdeck", self.deck.home)
        os.kill(pid, signal.SIGSEGV)
        wait_for("the console is gone", lambda: not alive(pid))
        t.wait("[exit 139]")
        t.type("sane")
        t.wait("sane")
