"""keys.conf and :bind on a real terminal. Needs no VM."""
import os
import tempfile

from decklib import BUILD, DeckCase
from tmuxlib import Terminal


class Keys(DeckCase):
    process = True

    def setUp(self):
        config = tempfile.TemporaryDirectory(prefix="deck-keys-")
        self.addCleanup(config.cleanup)
        self.dir = os.path.join(config.name, "vmdeck")
        os.makedirs(self.dir)
        self.deck.env["XDG_CONFIG_HOME"] = config.name

    def write(self, text):
        with open(os.path.join(self.dir, "keys.conf"), "w") as f:
            f.write(text)

    def open(self):
        t = Terminal([BUILD / "vmdeck"], self.deck.env)
        self.addCleanup(t.close)
        t.wait("VMs")
        return t

    def test_bound_in_the_file(self):
        self.write("[all]\nhelp = F5\nquit = M-q\nimages = F4\n")
        t = self.open()
        t.wait("F5 help  M-q quit")
        t.keys("?")
        t.wait("? does nothing here; F5 lists the keys")
        t.keys("F4")
        t.wait("mini")
        t.keys("F5")
        t.wait(lambda s: "any other key closes" in s)
        t.keys("Escape")
        t.keys("M-q")
        t.wait_exit(0)

    def test_bound_while_it_runs(self):
        t = self.open()
        t.type(":bind F7 images")
        t.keys("Enter")
        t.wait("F7: images; keys.conf keeps it")
        t.keys("F7")
        t.wait("mini")
        t.type(":unbind Q")
        t.keys("Enter")
        t.wait("Q does nothing in this view any more")
        t.keys("Q")
        t.wait("Q does nothing here")
        t.type(":quit")
        t.keys("Enter")
        t.wait_exit(0)

    def test_what_is_wrong(self):
        self.write("[list]\nstop = F5\nkill = F5\nstopp = F6\n")
        t = self.open()
        t.wait(lambda s: "keys.conf:3: F5 is bound to stop in line 2 already (and 1 more: vmdeck keys)" in
               " ".join(s.split()))
        t.keys("?")
        t.wait("any other key closes")
        t.keys("Escape", "Q")
        t.wait_exit(0)
        out, err = self.deck.run("keys", code=1)
        self.assertIn(b"keys.conf:4: there is no action 'stopp'", err)
        self.assertRegex(out.decode(), r"(?m)^stop +F5 ")
        self.write("[guest]\ndetach = F5\n")
        table = {a["action"]: a["keys"] for a in self.deck.json("keys")}
        self.assertEqual(table["detach"], {"guest": "F5"})
