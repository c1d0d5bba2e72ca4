"""Copy mode in a real terminal: 100,000 lines of a guest, one found again, copied to tmux and by OSC 52."""
from decklib import BUILD, DeckCase, wait_for
from tmuxlib import Terminal

ROWS = "row 777\nrow 778\nrow 779\n"


class Copy(DeckCase):
    process = True

    def open(self, *argv):
        t = Terminal([*argv, BUILD / "vmdeck"], self.deck.env)
        self.addCleanup(t.close)
        t.tmux("set", "-s", "set-clipboard", "on")
        return t

    def tearDown(self):
        for vm in self.deck.json("ls"):
            self.deck.run("rm", "-f", vm["name"])

    def search_and_copy(self, t):
        self.deck.boot("many")
        t.wait("running")
        t.keys("a")
        t.wait("KEYS: guest")
        t.type("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); echo row $i; done; echo 'all 'there\n")
        t.wait("all there")
        t.keys("C-]")
        t.type("[")
        t.wait(" COPY ")
        t.type("?^row 777$")
        t.keys("Enter")
        t.wait(lambda s: "row 776" in s and "row 778" in s)
        t.type("Vjjy")
        t.wait("copied 3 lines")
        wait_for("the text in tmux", lambda: t.tmux("list-buffers") and t.tmux("show-buffer") == ROWS)
        t.type("echo keys-$((6*7))\n")
        t.wait("keys-42")

    def test_into_tmux(self):
        self.search_and_copy(self.open())

    def test_by_osc_52(self):
        # Not told of tmux, the console takes it for a terminal like any other.
        self.search_and_copy(self.open("env", "-u", "TMUX", "TERM=xterm-256color"))
