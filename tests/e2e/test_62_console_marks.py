"""Marked rows of the console: one command in many VMs, and what destroys several asks for a word."""
import re

from decklib import BUILD, DeckCase
from tmuxlib import Terminal


def row_has(*words):
    return lambda screen: any(all(w in line for w in words) for line in screen.split("\n"))


class Marks(DeckCase):
    def open(self, **kw):
        t = Terminal([BUILD / "vmdeck"], self.deck.env, **kw)
        self.addCleanup(t.close)
        t.wait("Events")
        return t

    def tearDown(self):
        for vm in self.deck.json("ls"):
            self.deck.run("rm", "-f", vm["name"])

    def test_exec_stop_delete_on_marked(self):
        for n in (1, 2, 3):
            self.deck.boot(f"web-{n}")
        t = self.open(cols=80, rows=24)
        t.wait(row_has("web-3", "running"))
        t.keys("*")
        t.wait("3 marked")
        # All answer alike: one group, folded; then one that does not.
        t.keys("e")
        t.wait("exec in 3 marked VMs:")
        t.type("echo same")
        t.keys("Enter")
        t.wait(lambda s: "3 of 3 done" in s and row_has("3 VMs, exit 0")(s) and s.count("same") == 2)
        t.keys("Enter")
        t.wait(row_has("web-1, web-2, web-3"))
        t.keys("Escape")
        t.keys("e")
        t.type('case $(hostname) in web-2) echo other; exit 3;; esac; seq 9')
        t.keys("Enter")
        t.wait(lambda s: row_has("2 VMs, exit 0", "web-1, web-3")(s) and row_has("1 differs, exit 3", "web-2")(s)
               and "5 more lines: Enter" in s)
        t.keys("Escape")
        # Closing leaves it running; C-c ends it.
        t.keys("e")
        t.type("echo begun; sleep 600")
        t.keys("Enter")
        t.wait("0 of 3 done, 3 run")
        t.keys("Escape")
        t.wait(lambda s: "of 3 done" not in s)
        t.keys("E")
        t.wait("0 of 3 done, 3 run")
        self.running_in_all("sleep 600")
        t.keys("C-c")
        t.wait(lambda s: "3 of 3 done" in s and row_has("3 VMs, killed by signal 2")(s))
        t.keys("Escape")
        # Filter, pause and resume, stop with one key for all.
        t.type(":vms state=running !/-3$")
        t.keys("Enter")
        t.wait(lambda s: "2 of 3 VMs" in s and "3 marked" in s)
        t.keys("u")
        t.wait(lambda s: "2 of 3 VMs" not in s)
        t.keys("p")
        t.wait("3 VMs paused")
        t.keys("p")
        t.wait("3 VMs resumed")
        t.keys("x")
        t.wait("Ask 3 VMs to power off?")
        t.keys("y")
        t.wait("3 VMs stopped")
        t.keys("U", "g", "Space", "Space")
        t.wait("2 marked")
        t.keys("D")
        t.wait("Delete 2 VMs?")
        t.keys("Enter")
        t.wait("nothing is done before that is typed")
        self.assertEqual(len(self.deck.json("ls")), 3)
        t.type("delete")
        t.keys("Enter")
        t.wait(lambda s: "2 VMs deleted" in s and "marked" not in s)
        self.assertEqual([vm["name"] for vm in self.deck.json("ls")], ["web-3"])
        t.keys("Q")
        t.wait_exit(0)

    def running_in_all(self, command):
        for n in (1, 2, 3):
            self.assertTrue(self.running_in(f"web-{n}", re.escape(command)))

    def test_daemon_lost_while_it_runs(self):
        self.deck.boot("a")
        self.deck.boot("b")
        t = self.open()
        t.wait(row_has("b", "running"))
        t.keys("*")
        t.wait("2 marked")
        t.type(":exec echo begun; sleep 600")
        t.keys("Enter")
        t.wait("0 of 2 done, 2 run")
        self.deck.kill_daemon()
        t.wait("2 of 2 done")
        t.keys("Escape")
        t.wait("2 marked")
        t.type(":exec echo again")
        t.keys("Enter")
        t.wait(lambda s: "2 VMs, exit 0" in s)
        t.keys("Escape")
        t.keys("Q")
        t.wait_exit(0)
