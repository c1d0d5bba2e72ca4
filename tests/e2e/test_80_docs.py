"""What the README says is what the programs do."""
import re
import subprocess
import sys
import unittest

from decklib import BUILD, LIMIT, ROOT


class Readme(unittest.TestCase):
    def test_tables_are_up_to_date(self):
        p = subprocess.run([sys.executable, ROOT / "tests" / "docs.py", "--check", "--build", BUILD],
                           capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr)

    def test_every_command_has_help_that_names_its_options(self):
        table = subprocess.run([BUILD / "vmdeck", "help", "--markdown"], capture_output=True, text=True, timeout=LIMIT)
        usages = re.findall(r"^\| `vmdeck ([^`]+)`", table.stdout, re.M)
        self.assertGreater(len(usages), 20)
        for usage in usages:
            words = re.match(r"(?:[a-z]+ ?)+", usage).group().split()
            with self.subTest(command=words):
                p = subprocess.run([BUILD / "vmdeck", *words, "--help"], capture_output=True, text=True, timeout=LIMIT)
                self.assertEqual((p.returncode, p.stderr), (0, ""))
                for option in re.findall(r"\[(--?[a-z-]+)", usage):
                    self.assertIn(option, p.stdout)

    def test_files_it_names_exist(self):
        text = (ROOT / "README.md").read_text()
        for name in re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r"`([a-z]+/)`", text):
            self.assertTrue((ROOT / name).exists(), name)
