"""Damaged and foreign snapshots are refused with the reason, before a VMM is started."""
import hashlib
import json
import os
import random

from decklib import DeckCase


class Damage(DeckCase):
    """Each test damages a file of the one snapshot and mends it again."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.deck.boot("src", "--disk", "4M")
        cls.deck.sh("src", "until [ -b /dev/vda ]; do sleep 0.02; done; echo data > /dev/vda; sync")
        cls.deck.run("snapshot", "src", "good")
        cls.dir = cls.deck.home / "snapshots" / "good"
        cls.spawns = cls.count_spawns()

    @classmethod
    def count_spawns(cls):
        return sum(e["name"] == "vmm.spawn" for e in cls.deck.json("events", "--limit", "10000"))

    def tearDown(self):
        self.assertEqual(self.deck.snapshot("good")["state"], "ready", "it was mended")

    def check_refused(self, *words, verify=True):
        """Returns the sentence of the restore."""
        said = self.deck.error("restore", "good", "--name", "never")
        for word in words:
            self.assertIn(word, said)
        self.assertIn("good", said)
        self.assertEqual(self.count_spawns(), type(self).spawns, "a VMM was started")
        self.assertEqual([vm["name"] for vm in self.deck.json("ls")], ["src"])
        if verify:
            self.deck.error("snapshot", "verify", "good")
        return said

    def flip(self, file, offset, bit=1):
        with open(self.dir / file, "r+b") as f:
            f.seek(offset)
            byte = f.read(1)[0]
            f.seek(offset)
            f.write(bytes([byte ^ bit]))

    def with_file(self, name, data):
        """The file with other contents until the test ends."""
        path = self.dir / name
        old, stat = path.read_bytes(), path.stat()

        def mend():
            path.write_bytes(old)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        self.addCleanup(mend)
        path.write_bytes(data)
        return mend

    def test_truncated(self):
        for name in ("state", "memory", "memory.sum", "manifest.json", "disk-0.0"):
            with self.subTest(file=name):
                path = self.dir / name
                size = path.stat().st_size
                tail = path.read_bytes()[size - 100:]
                os.truncate(path, size - 100)
                try:
                    self.check_refused()
                finally:
                    with open(path, "ab") as f:
                        f.write(tail)

    def test_missing(self):
        for name in ("state", "memory", "memory.sum", "manifest.json", "disk-0.0", "disk-0.new"):
            with self.subTest(file=name):
                os.rename(self.dir / name, self.dir / "away")
                try:
                    self.check_refused()
                finally:
                    os.rename(self.dir / "away", self.dir / name)

    def test_flipped_in_the_manifest(self):
        rng, size = random.Random(29), (self.dir / "manifest.json").stat().st_size
        for offset in [0, 1, 12, size // 2, size - 3] + [rng.randrange(size - 1) for _ in range(12)]:
            with self.subTest(offset=offset):
                self.flip("manifest.json", offset)
                try:
                    self.assertEqual(self.deck.snapshot("good")["state"], "damaged")
                    self.check_refused(verify=False)
                finally:
                    self.flip("manifest.json", offset)

    def test_flipped_in_the_state(self):
        size = (self.dir / "state").stat().st_size
        for offset in (0, size // 3, size - 1):
            with self.subTest(offset=offset):
                self.flip("state", offset, 0x80)
                try:
                    self.check_refused("state")
                finally:
                    self.flip("state", offset, 0x80)

    def test_flipped_in_the_memory(self):
        """Found by verify; a restore reads the memory when the file was touched."""
        for offset in (4096, 20 << 20):
            with self.subTest(offset=offset):
                self.flip("memory", offset)
                try:
                    self.assertIn("memory", self.deck.error("snapshot", "verify", "good"))
                    self.check_refused("memory")
                finally:
                    self.flip("memory", offset)
        self.deck.run("snapshot", "verify", "good")

    def test_flipped_in_a_disk(self):
        self.flip("disk-0.0", 0)
        try:
            self.assertIn("disk", self.deck.error("snapshot", "verify", "good"))
        finally:
            self.flip("disk-0.0", 0)
        self.deck.run("snapshot", "verify", "good")

    def test_of_another_host(self):
        """A whole manifest with a valid checksum, but of another VMM, machine, image build or format."""
        text = (self.dir / "manifest.json").read_text()
        inner = text[len('{"manifest":'):text.rindex(',"sha256":')]
        self.assertEqual(json.loads(text)["sha256"], hashlib.sha256(inner.encode()).hexdigest())
        values = json.loads(inner)
        other = {"vmm_version": "6.0.0", "machine": "0" * 64, "image_build": "f" * 64, "image": "gone",
                 "vmm": "bhyve", "tsc_khz": values["tsc_khz"] * 2, "format": values["format"] + 1}
        for key, value in other.items():
            with self.subTest(key=key):
                old = f'"{key}":{json.dumps(values[key])}'
                self.assertEqual(inner.count(old), 1, old)
                changed = inner.replace(old, f'"{key}":{json.dumps(value)}')
                mend = self.with_file("manifest.json", (
                    '{"manifest":%s,"sha256":"%s"}' % (changed, hashlib.sha256(changed.encode()).hexdigest())).encode())
                said = self.check_refused(verify=False)
                if key != "machine":
                    self.assertIn(str(value)[:12], said)
                mend()

    def test_damaged_ones_are_listed_and_removed(self):
        self.deck.run("snapshot", "src", "bad")
        path = self.deck.home / "snapshots" / "bad" / "manifest.json"
        path.write_text("{}")
        listed = self.deck.snapshot("bad")
        self.assertEqual(listed["state"], "damaged")
        self.assertGreater(len(listed["why"]), 10)
        self.assertIn("damaged", self.deck.text("snapshots"))
        self.deck.error("clone", "bad")
        self.deck.error("pool", "bad", "1")
        self.deck.run("snapshot", "--replace", "src", "bad")
        self.assertEqual(self.deck.snapshot("bad")["state"], "ready")
        path.write_bytes(b"\0" * 100)
        self.deck.run("rm", "--snapshot", "bad")
        self.assertIsNone(self.deck.snapshot("bad"))

    def test_zz_mended_it_works(self):
        """All was for the files' sake: as it is, it restores."""
        self.deck.run("snapshot", "verify", "good")
        self.deck.restore("good", "fine")
        self.assertEqual(self.deck.sh("fine", "head -c 4 /dev/vda"), "data")
        self.deck.run("rm", "-f", "fine")
