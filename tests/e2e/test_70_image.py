"""The image, built for real: two builders at once, a builder killed midway, progress, staleness."""
import json
import os
import pathlib
import shutil
import signal
import subprocess

from decklib import BUILD, IMAGE_HOME, Deck, DeckCase, alive, wait_for


class Builders(DeckCase):
    """Kernels come from the shared cache: the download itself is made once a build folder."""

    def setUp(self):
        self.home = self.deck.home
        shutil.rmtree(self.home / "images", ignore_errors=True)

    def builder(self):
        return subprocess.Popen([BUILD / "vmdeckd", "--worker", "image-build", "mini", "--force"],
                                env=self.deck.env, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)

    def assert_good_image(self):
        images = self.deck.json("images")
        self.assertEqual([(i["name"], i["state"], i["stale"]) for i in images], [("mini", "ready", False)])
        names = sorted(p.name for p in (self.home / "images").iterdir() if p.is_dir())
        self.assertEqual(names, ["mini"])

    def test_two_builders_one_image(self):
        both = [self.builder(), self.builder()]
        for b in both:
            out, _ = b.communicate(timeout=300)
            self.assertEqual(b.returncode, 0, out)
        self.assert_good_image()
        self.deck.boot("from-two")
        self.deck.run("rm", "-f", "from-two")

    def test_builder_killed_at_each_step(self):
        steps = []
        b = self.builder()
        for line in b.stdout:
            step = json.loads(line).get("step")
            if step and step not in steps:
                steps.append(step)
        self.assertEqual(b.wait(300), 0)
        self.assertGreaterEqual(len(steps), 4, steps)
        self.assertEqual(steps[:2], ["lock", "lookup"])
        for step in steps:
            with self.subTest(step=step):
                b = self.builder()
                for line in b.stdout:
                    if json.loads(line).get("step") == step:
                        b.kill()
                        break
                b.communicate(timeout=60)
                out, _ = (again := self.builder()).communicate(timeout=300)
                self.assertEqual(again.returncode, 0, out)
                self.assert_good_image()

    def test_build_by_command_with_json_and_rm(self):
        done = self.deck.json("image", "build", "mini")
        self.assertEqual(done["state"], "ready")
        self.assert_good_image()
        self.deck.run("image", "rm", "mini")
        self.assertEqual(self.deck.json("images")[0]["state"], "missing")

    def test_unknown_image(self):
        self.assertIn("nope", self.deck.error("image", "build", "nope"))
        self.assertIn("nope", self.deck.error("image", "rm", "nope"))
