"""Themes on a real terminal: looked at, taken, given back, changed on disk. Needs no VM."""
import os
import tempfile

from decklib import BUILD, DeckCase
from tmuxlib import Terminal

GROUND = "48;5;235"  # of the theme dusk, as 256 colours show it


class Themes(DeckCase):
    process = True

    def setUp(self):
        config = tempfile.TemporaryDirectory(prefix="deck-themes-")
        self.addCleanup(config.cleanup)
        self.themes = os.path.join(config.name, "vmdeck", "themes")
        os.makedirs(self.themes)
        self.env = dict(self.deck.env, XDG_CONFIG_HOME=config.name)

    def open(self, *args, **env):
        t = Terminal([BUILD / "vmdeck", *args], dict(self.env, **env))
        self.addCleanup(t.close)
        t.wait("VMs")
        return t

    def write(self, name, text):
        """As editors do: beside it, then renamed."""
        path = os.path.join(self.themes, name)
        with open(path + "~", "w") as f:
            f.write(text)
        os.rename(path + "~", path)

    def seen(self, t, text):
        t.wait(lambda _: text in t.screen(colours=True))

    def test_picker(self):
        self.write("mine.theme", "[meta]\nvariant = light\n")
        t = self.open()
        t.keys("T")
        s = t.wait("j k looks")
        self.assertRegex(s, r"mine +light")
        self.assertRegex(s, r"default +any")
        self.assertNotIn(GROUND, t.screen(colours=True))
        t.keys("j", "j", "j", "j")
        t.wait(lambda s: "gruvbox" in s)
        t.keys("Escape")
        t.wait(lambda s: "j k looks" not in s)
        self.assertNotIn("48;5;", t.screen(colours=True))
        t.keys("T")
        t.wait("j k looks")
        t.keys("j", "j", "j", "Enter")
        t.wait("theme dusk;")
        self.seen(t, GROUND)
        t.type(":theme default")
        t.keys("Enter")
        t.wait(lambda _: GROUND not in t.screen(colours=True))
        t.keys("Q")
        t.wait_exit(0)

    def test_hot_reload(self):
        self.write("mine.theme", "[roles]\ntext = fg=default bg=17\n")
        t = self.open("--theme", "mine")
        self.seen(t, "48;5;17m")
        self.write("mine.theme", "[roles]\ntext = fg=default bg=22\n")
        t.wait("theme mine has changed on disk")
        self.seen(t, "48;5;22m")
        # What is wrong is named, with its line; the rest counts, and the console goes on.
        self.write("mine.theme", "[roles]\ntext = fg=default bg=52\nrow = blod\n")
        t.wait(lambda s: "mine.theme:3: unknown colour or attribute 'blod'" in " ".join(s.split()))
        self.seen(t, "48;5;52m")
        t.keys("?")
        t.wait("any other key closes")
        t.keys("q", "Q")
        t.wait_exit(0)

    def test_no_color(self):
        t = self.open("--theme", "dusk", NO_COLOR="1")
        t.keys("T")
        t.wait("j k looks")
        t.keys("j")
        screen = t.screen(colours=True)
        self.assertNotIn("48;", screen)
        self.assertNotIn("38;", screen)
