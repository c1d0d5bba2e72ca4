"""Health in the console: the column of the list, the reason, and a page whose ages grow."""
import re

from decklib import BUILD, DeckCase
from tmuxlib import Terminal


def row_has(*words):
    return lambda screen: any(all(w in line for w in words) for line in screen.split("\n"))


class ConsoleHealth(DeckCase):
    process = True

    def test_column_and_page(self):
        ok = self.guest_path("ok")
        self.deck.boot("web", "--health-exec", f"echo about {ok}; test -e {ok}", "--health-interval", "2",
                       "--health-start-limit", "60", "--", "sh", "-c", f"touch {ok}; exec sleep 1000")
        t = Terminal([str(BUILD / "vmdeck")], self.deck.env, cols=120)
        self.addCleanup(t.close)
        t.wait(row_has("web", "● healthy"))
        t.type("h")
        t.wait(lambda s: "probe        exec: echo about" in s and "every 2 s while healthy" in s)

        def age(screen):
            m = re.search(r"last check +([0-9.]+) (ms|s) ago, took", screen)
            return m and float(m.group(1)) / (1000 if m.group(2) == "ms" else 1)
        # It grows, and begins anew with a check that no event told of.
        t.wait(lambda s: (age(s) or 0) >= 1)
        t.wait(lambda s: age(s) is not None and age(s) < 1)
        self.deck.sh("web", f"rm {ok}")
        t.wait(row_has("web", "✗ unhealthy"))
        t.wait(lambda s: "exit code 1: about" in s and "failed check" in s)
        t.resize(80, 24)
        t.wait(row_has("web", "unhealthy: exit"))
        self.deck.run("pause", "web")
        t.resize(120, 24)
        t.wait(row_has("web", "? unknown"))
        self.deck.run("kill", "web")
        t.wait(lambda s: "○ stopped for" in s)
        t.keys("Q")
        t.wait_exit(0)
