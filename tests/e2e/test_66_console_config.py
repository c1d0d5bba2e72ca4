"""vmdeck.conf, vmdeck config and :set on a real terminal, and what guests may do to it. Needs no VM."""
import base64
import json
import os
import tempfile

from decklib import BUILD, DeckCase, wait_for
from tmuxlib import Terminal


class Config(DeckCase):
    process = True

    def setUp(self):
        config = tempfile.TemporaryDirectory(prefix="deck-config-")
        self.addCleanup(config.cleanup)
        os.makedirs(os.path.join(config.name, "vmdeck"))
        self.file = os.path.join(config.name, "vmdeck", "vmdeck.conf")
        self.deck.env["XDG_CONFIG_HOME"] = config.name

    def tearDown(self):
        for vm in self.deck.json("ls"):
            self.deck.run("rm", "-f", vm["name"])

    def write(self, text):
        """As editors do: beside it, then renamed."""
        with open(self.file + "~", "w") as f:
            f.write(text)
        os.rename(self.file + "~", self.file)

    def open(self, *args, cols=100):
        t = Terminal(["env", "-u", "TMUX", "TERM=xterm-256color", BUILD / "vmdeck", *args], self.deck.env, cols=cols)
        self.addCleanup(t.close)
        t.wait("VMs")
        return t

    def command(self, t, text):
        t.type(":" + text)
        t.keys("Enter")

    def quit(self, t):
        t.keys("Q")
        t.wait_exit(0)

    def joined(self, t, text):
        t.wait(lambda s: text in " ".join(s.split()))

    def test_listed_and_checked(self):
        text = self.deck.text("config")
        self.assertRegex(text, r"(?m)^theme +default +default +default$")
        self.assertEqual(self.deck.run("config", "--check"), (b"", b""))
        self.write("[console]\ntheme = dusk\nfigures = 500\n")
        options = {o["option"]: o for o in self.deck.json("config", "--ascii")}
        self.assertEqual((options["theme"]["value"], options["theme"]["from"], options["theme"]["line"]),
                         ("dusk", "file", 2))
        self.assertEqual(options["theme"]["file"], self.file)
        self.assertEqual((options["ascii"]["value"], options["ascii"]["from"]), ("on", "flag"))
        self.write("[console]\nthem = dusk\n")
        out, err = self.deck.run("config", "--check", code=1)
        self.assertEqual(out, b"")
        self.assertEqual(err.decode(), f"vmdeck: {self.file}:2: there is no option 'them': did you mean theme?\n")
        other = self.file + ".other"
        with open(other, "w") as f:
            f.write("[guest]\nguest_bell = maybe\n")
        self.assertIn(b"vmdeck.conf.other:2: guest_bell takes on or off", self.deck.run("config", other, code=1)[1])
        self.assertIn("No such file", self.deck.error("config", other + ".none"))

    def test_in_force_and_read_again(self):
        self.write("[console]\nread_only = on\nclock = on\nascii = on\n")
        t = self.open()
        t.wait("READ-ONLY")
        self.assertRegex(t.wait(lambda s: ":" in s.split("\n")[0]).split("\n")[0], r" \d\d:\d\d *$")
        self.assertNotIn("─", t.screen())
        self.write("[console]\nread_only = on\n")
        t.wait("vmdeck.conf has changed on disk")
        t.wait("─")
        self.assertNotRegex(t.screen().split("\n")[0], r"\d\d:\d\d")
        self.write("[console]\nclokc = on\nascii = on\n")
        self.joined(t, "vmdeck.conf:2: there is no option 'clokc': did you mean clock?")
        t.wait(lambda s: "─" not in s)
        self.quit(t)
        t = self.open()
        self.joined(t, "vmdeck.conf:2: there is no option 'clokc': did you mean clock?")
        self.quit(t)

    def test_set(self):
        t = self.open(cols=80)
        self.command(t, "set clock=on")
        t.wait("clock = on; vmdeck.conf keeps it")
        self.command(t, "set clock")
        self.joined(t, "clock = on (:set): the time in the top line; takes on or off")
        self.command(t, "set figures = 7")
        t.wait("figures takes 100 to 60000, not '7'")
        self.command(t, "set colck=on")
        t.wait("did you mean clock?")
        self.command(t, "set read_only=on")
        self.joined(t, "read_only is taken when the console starts")
        self.command(t, "set theme=dusk")
        t.wait("theme = dusk;")
        self.command(t, "set")
        screen = t.wait("any other key closes")
        self.assertRegex(screen, r"theme +dusk +:set")
        self.assertRegex(screen, r"figures +1000 +default")
        t.keys("G")
        t.wait("guest_clipboard")
        t.keys("Escape")
        t.wait(lambda s: "any other key" not in s)
        self.quit(t)

    def test_completed(self):
        t = self.open()
        t.type(":set cl")
        t.keys("Tab")
        t.wait(":set clock=")
        t.type("o")
        t.keys("Tab")
        t.wait("on off")
        t.type("n")
        t.keys("Enter")
        t.wait("clock = on;")
        t.type(":theme dus")
        t.keys("Tab", "Enter")
        t.wait(lambda s: ":theme" not in s)
        self.command(t, "set theme")
        t.wait("theme = dusk (:set)")
        t.type(":layout s")
        t.keys("Tab")
        t.wait(":layout save")
        t.keys("C-c")
        self.quit(t)

    def test_confirm(self):
        self.write("[console]\nconfirm = destroying\n")
        self.deck.boot("web")
        t = self.open()
        t.wait("running")
        t.keys("X")
        t.wait("Kill web now?")
        t.keys("Escape")
        t.keys("x")
        t.wait("stopped")
        self.assertNotIn("Ask web to power off?", t.screen())
        self.quit(t)

    def test_guest_has_no_say_at_first(self):
        t = self.attached()
        t.type(r"printf '\033]2;evil\007\a\033]52;c;aGVsbG8=\007do''ne\n'" + "\n")
        t.wait("done")
        self.assertNotIn('"evil"', t.screen())
        self.assertEqual(t.tmux("show-options", "-gv", "@rang").strip(), "0")
        self.assertEqual(t.tmux("list-buffers"), "")

    def attached(self):
        self.deck.boot("web")
        t = self.open()
        t.tmux("set", "-s", "set-clipboard", "on")
        t.tmux("set", "-g", "@rang", "0")
        t.tmux("set", "-g", "bell-action", "any")
        t.tmux("set-hook", "-g", "alert-bell", "set -g @rang 1")
        t.wait("running")
        t.keys("a")
        t.wait("KEYS: guest")
        return t

    def test_guest_allowed(self):
        self.write("[guest]\nguest_bell = on\nguest_title = on\nguest_clipboard = on\n")
        t = self.attached()
        t.type(r"printf '\033]2;my\033x\007'; printf '\033]2;my t\342\200\256itle\033\134'" + "\n")
        t.wait('web "my title"')
        t.type(r"printf '\a'" + "\n")
        wait_for("the bell", lambda: t.tmux("show-options", "-gv", "@rang").strip() == "1")
        text = base64.b64encode(b"from the guest").decode()
        t.type(rf"printf '\033]52;c;{text}\007'" + "\n")
        t.wait("copied 14 B by web")
        wait_for("the text in tmux", lambda: t.tmux("list-buffers") and t.tmux("show-buffer") == "from the guest")
        # Asked for what is in it, it says nothing: the guest would read it as typed.
        t.type(r"printf '\033]52;c;?\007'; read -t 1 x; echo got-${#x}" + "\n")
        t.wait("got-0")
        # Behind the console's keys nobody sets it.
        gate = self.deck.dir / "gate"
        later = base64.b64encode(b"later").decode()
        t.type(rf"mkfifo {gate}; read x <{gate}; printf '\033]52;c;{later}\007be''hind\n'" + "\n")
        t.keys("C-]", "d")
        t.wait(lambda s: "KEYS: guest" not in s)
        self.deck.sh("web", f"echo >{gate}")
        t.wait("behind")
        self.assertEqual(t.tmux("show-buffer"), "from the guest")
        self.quit(t)
        # What was written before is not rung or copied again.
        t.tmux("set", "-g", "@rang", "0")
        t2 = self.open()
        t2.tmux("set", "-s", "set-clipboard", "on")
        t2.wait("behind")
        t2.keys("a")
        t2.wait("KEYS: guest")
        t2.type("echo again-$((6*7))\n")
        t2.wait("again-42")
        self.assertEqual(t2.tmux("list-buffers"), "")
        self.assertEqual(json.loads(self.deck.text("config", "--json"))[10]["value"], "on")
