"""Several VMs on one screen of the console: splits, keys, layouts, and what happens when the daemon dies."""
import os
import re
import stat

from decklib import BUILD, DeckCase, needs_vm
from tmuxlib import Terminal


def row_has(*words):
    return lambda screen: any(all(w in line for w in words) for line in screen.split("\n"))


def all_of(*tests):
    return lambda screen: all(t(screen) if callable(t) else t in screen for t in tests)


class Windows(DeckCase):
    process = True

    def open(self, *args, **kw):
        env = dict(self.deck.env, XDG_STATE_HOME=str(self.deck.dir / "state"))
        t = Terminal([BUILD / "vmdeck", *args], env, **kw)
        self.addCleanup(t.close)
        t.wait("Events")
        return t

    def tearDown(self):
        for vm in self.deck.json("ls"):
            self.deck.run("rm", "-f", vm["name"])

    def boot(self, name, script):
        self.deck.run("boot", "--name", name, "--", "sh", "-c", script)

    def command(self, t, text):
        t.keys(":")
        t.type(text)
        t.keys("Enter")

    def quit(self, t):
        t.keys("Q")
        t.wait_exit(0)

    def test_split_type_zoom_save_load(self):
        self.boot("web", "echo ready-web; while read l; do echo web-got-$l; done")
        self.boot("db", "echo ready-db; while read l; do echo db-got-$l; done")
        t = self.open(cols=100, rows=30)
        t.wait(all_of(row_has("web", "running"), row_has("db", "running")))
        t.keys("g")
        t.wait("ready-web")
        # Beside each other: the list goes on to db, web stays.
        t.keys("C-w", "v", "j")
        t.wait(row_has("ready-db", "ready-web"))
        # One over the other, in the focused half.
        t.keys("Tab", "C-w", "s", "C-w", "=")
        t.wait(lambda s: len(re.findall("ready-db", s)) == 2 and "ready-web" in s)
        t.keys("C-w", "c")
        t.wait(lambda s: len(re.findall("ready-db", s)) == 1)
        # Keys to the one, then to the other.
        t.keys("Tab")
        t.wait(lambda s: "KEYS" not in s)
        t.keys("a")
        t.wait("KEYS: guest")
        t.type("one\n")
        t.wait("got-one")
        t.keys("C-]")
        t.type("o")
        t.type("two\n")
        t.wait(all_of("got-one", "got-two"))
        s = t.screen()
        self.assertIn("db-got" if "web-got-one" in s else "web-got", s)
        t.keys("C-]")
        t.type("d")
        t.wait(lambda s: "KEYS" not in s)
        # Zoom and back.
        t.keys("z")
        t.wait(lambda s: ("ready-web" in s) != ("ready-db" in s) and "Events" not in s)
        t.keys("z")
        t.wait(all_of("ready-web", "ready-db", "[1 VMs"))
        # Kept, quit, opened anew.
        self.command(t, "layout save pair")
        t.wait("layout pair is kept")
        kept = self.deck.dir / "state" / "vmdeck" / "layouts" / "pair.json"
        self.assertEqual(stat.S_IMODE(os.stat(kept).st_mode), 0o600)
        self.command(t, "wq")
        t.wait_exit(0)
        t = self.open("--layout", "last", cols=100, rows=30)
        t.wait(all_of("got-one", "got-two"))
        # Another size keeps both; a small one keeps what it can.
        for cols, rows in ((80, 24), (40, 12), (160, 45)):
            t.resize(cols, rows)
        t.wait(row_has("ready-db", "ready-web"))
        self.command(t, "only")
        t.wait(lambda s: ("ready-web" in s) != ("ready-db" in s))
        self.command(t, "layout load pair")
        t.wait(row_has("ready-db", "ready-web"))
        self.quit(t)

    def test_attached_while_another_floods(self):
        self.boot("flood", "while :; do echo flooding-flooding-flooding-flooding; done")
        self.boot("calm", "echo ready-calm; while read l; do echo calm-got-$l; done")
        t = self.open(cols=80, rows=24)
        t.wait(all_of(row_has("flood", "running"), row_has("calm", "running")))
        t.keys("g")
        t.wait("flooding-flooding")
        t.keys("C-w", "v", "j")
        t.wait(row_has("flooding", "ready-calm"))
        t.keys("a")
        t.wait("KEYS: guest")
        for n in range(5):
            t.type(f"line{n}\n")
            t.wait(all_of(f"calm-got-line{n}", "flooding"))
        t.keys("C-]")
        t.type("d")
        t.wait(lambda s: "KEYS" not in s)
        self.quit(t)

    def test_daemon_dies_under_all_windows(self):
        self.boot("web", "echo ready-web; while read l; do echo web-got-$l; done")
        self.boot("db", "echo ready-db; while read l; do echo db-got-$l; done")
        t = self.open(cols=120, rows=30)
        t.wait(all_of(row_has("web", "running"), row_has("db", "running")))
        t.keys("g")
        t.wait("ready-web")
        t.keys("C-w", "v", "j")
        t.wait(row_has("ready-db", "ready-web"))
        self.deck.kill_daemon()
        t.wait(lambda s: len(re.findall("daemon lost", s)) >= 2 and len(re.findall("the daemon is back", s)) == 2)
        t.keys("a")
        t.wait("KEYS: guest")
        t.type("again\n")
        t.wait("db-got-again")
        t.keys("C-]")
        t.type("d")
        t.wait(lambda s: "KEYS" not in s)
        # A VM that ends says so in its own window only.
        self.deck.run("kill", "web")
        t.wait(all_of(row_has("── ", "stopped"), "db-got-again"))
        self.quit(t)


class RealWindows(DeckCase):
    def test_three_vms_and_a_serial_console(self):
        for name in ("web", "db", "job"):
            self.deck.run("boot", "--name", name)
        t = Terminal([BUILD / "vmdeck"], self.deck.env, cols=100, rows=36)
        self.addCleanup(t.close)
        t.wait(all_of(row_has("web", "running"), row_has("db", "running"), row_has("job", "running")))
        t.keys("g", "l")
        t.wait("[serial")
        t.keys("C-w", "v", "j", "C-w", "s", "j", "C-w", "=")
        t.wait(lambda s: len(re.findall(r"\[(?:output|serial)\]", s)) == 3)
        t.keys("a")
        t.wait("KEYS: guest")
        t.type("echo typed-$((3*7))\n")
        t.wait("typed-21")
        self.deck.kill_daemon()
        t.wait(lambda s: len(re.findall("the daemon is back", s)) == 3, limit=240)
        t.type("echo after-$((3*8))\n")
        t.wait("after-24")
        t.keys("C-]")
        t.type("d")
        t.keys("Q")
        t.wait_exit(0)


RealWindows = needs_vm(RealWindows)
