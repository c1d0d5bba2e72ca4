"""What the README says is what the programs do."""
import re
import subprocess
import sys

from decklib import BUILD, LIMIT, ROOT, DeckCase
from tmuxlib import Terminal


def printed(*argv):
    return subprocess.run([BUILD / "vmdeck", *argv], capture_output=True, text=True, timeout=LIMIT, check=True).stdout


def rows(table):
    """Cells of a Markdown table without its head."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


class Readme(DeckCase):
    image = False

    def test_tables_are_up_to_date(self):
        p = subprocess.run([sys.executable, ROOT / "tests" / "docs.py", "--check", "--build", BUILD],
                           capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr)

    def test_every_command_has_help_that_names_its_options(self):
        listed = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", printed("help").split("commands:\n")[1], re.M)
        usages = {re.match(r"`vmdeck ([a-z]+(?: [a-z]+)?)", row[0]).group(1): row[0]
                  for row in rows(printed("help", "--markdown"))}
        self.assertEqual(sorted(listed), sorted(usages))
        self.assertGreater(len(listed), 20)
        for name in listed:
            with self.subTest(command=name):
                text = printed(*name.split(), "--help")
                self.assertEqual(text, printed("help", *name.split()))
                for option in re.findall(r"\[(--?[a-z-]+)", usages[name]) + ["--help"]:
                    self.assertRegex(text, rf"(?m)^ +(-\w, )?{option}\b")

    def test_every_key_is_in_the_help_of_the_console(self):
        t = Terminal([BUILD / "vmdeck"], self.deck.env, rows=200)
        self.addCleanup(t.close)
        t.wait("shows all keys")
        t.keys("?")
        screen = t.wait("any other key closes")
        table = rows((ROOT / "README.md").read_text().split("<!-- keys:")[1].split("<!-- /keys")[0])
        self.assertGreater(len(table), 30)
        for keys, name, does in table:
            shown = " ".join(k.removeprefix("C-] ").removeprefix("C-w ") for k in re.findall("`([^`]+)`", keys))
            with self.subTest(keys=shown):
                self.assertTrue(any(re.search(rf"│   {re.escape(shown)} .*{re.escape(name.strip('`'))} .*"
                                              rf"{re.escape(does.removeprefix('in copy mode: '))}", line) for line in screen.split("\n")))
        t.keys("Escape")
        t.keys("q")
        t.wait_exit(0)

    def test_manual_pages_are_sound(self):
        for page in sorted((ROOT / "tui" / "man").iterdir()):
            p = subprocess.run(["groff", "-man", "-ww", "-z", page], capture_output=True, text=True, timeout=LIMIT)
            self.assertEqual((p.returncode, p.stderr), (0, ""), page)

    def test_files_it_names_exist(self):
        text = (ROOT / "README.md").read_text()
        for name in re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r"`([a-z]+/)`", text):
            self.assertTrue((ROOT / name).exists(), name)
