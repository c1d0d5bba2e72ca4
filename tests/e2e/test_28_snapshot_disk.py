"""Disks in snapshots and clones; what many cycles leave behind (nothing)."""
import os

from decklib import NUMBERED, DeckCase, fd_count, wait_for


class Disks(DeckCase):
    """Data is written behind the page cache of the guest: sync, then read with the cache dropped."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.deck.boot("src", "--disk", "64M")
        cls.wait_disk("src")
        cls.deck.sh("src", "busybox mke2fs -F /dev/vda >/dev/null 2>&1; sync")

    @classmethod
    def wait_disk(cls, name, disk="vda"):
        """The driver is loaded behind the boot: the device's own event makes the node."""
        cls.deck.sh(name, f"n=0; until [ -b /dev/{disk} ]; do n=$((n+1)); [ $n -lt 1000 ] || exit 1; sleep 0.02; done")

    def put(self, name, block, text):
        """A text at a block of 1 MiB, past any cache."""
        self.deck.sh(name, f"printf '%-512s' '{text}' | dd of=/dev/vda bs=512 seek={block * 2048} conv=notrunc 2>/dev/null; sync")

    def get(self, name, block):
        return self.deck.sh(name, "echo 3 > /proc/sys/vm/drop_caches; "
                                  f"dd if=/dev/vda bs=512 skip={block * 2048} count=1 2>/dev/null | tr -d '\\0'").strip()

    def test_1_size(self):
        self.assertEqual(self.deck.sh("src", "cat /sys/block/vda/size").strip(), str(64 * 2048))
        self.assertEqual(self.deck.vm("src")["disks"], [{"size": 64 << 20, "layers": 1}])

    def test_2_a_chain_of_clones(self):
        self.put("src", 10, "from-src")
        self.put("src", 11, "from-src")
        made = self.deck.json("snapshot", "src", "d1")
        self.assertEqual(made["disks"][0]["size"], 64 << 20)
        self.assertEqual(self.get("src", 10), "from-src")
        self.put("src", 11, "src-later")
        self.put("src", 13, "src-later")
        self.deck.run("clone", "d1", "-n", "2", "--name", "c")
        for name in ("c-1", "c-2"):
            self.assertEqual([self.get(name, b) for b in (10, 11, 13)], ["from-src", "from-src", ""], name)
        self.put("c-1", 12, "from-c-1")
        self.assertEqual([self.get(n, 12) for n in ("c-1", "c-2", "src")], ["from-c-1", "", ""])
        self.deck.run("snapshot", "c-1", "d2")
        self.put("c-1", 12, "c-1-later")
        self.deck.restore("d2", "cc")
        self.put("cc", 14, "from-cc")
        self.deck.run("snapshot", "cc", "d3")
        self.deck.run("rm", "-f", "cc", "c-1", "c-2")
        self.deck.run("rm", "--snapshot", "d2", "d1")
        wait_for("their files are gone", lambda: not list((self.deck.home / "trash").glob("*")), 20)
        self.deck.run("snapshot", "verify", "d3")
        self.deck.restore("d3", "ccc")
        self.assertEqual([self.get("ccc", b) for b in (10, 11, 12, 13, 14)],
                         ["from-src", "from-src", "from-c-1", "", "from-cc"])
        self.put("ccc", 10, "mine")
        self.assertEqual(self.get("src", 10), "from-src")
        self.deck.run("rm", "-f", "ccc")
        self.deck.run("rm", "--snapshot", "d3")

    def test_3_a_mounted_filesystem(self):
        """What was written and not synced, too: it is in the memory that belongs to the disk."""
        self.deck.sh("src", "mkdir -p /run/mnt; busybox mke2fs -F /dev/vda >/dev/null 2>&1; "
                            "for d in ext4 ext2; do mount -t $d /dev/vda /run/mnt 2>/dev/null && break; done; "
                            "grep -q /run/mnt /proc/mounts && echo hello > /run/mnt/file")
        self.deck.run("snapshot", "src", "m")
        self.deck.run("clone", "m", "-n", "2", "--name", "m")
        for name in ("m-1", "m-2"):
            self.assertEqual(self.deck.sh(name, "cat /run/mnt/file"), "hello\n")
            self.deck.sh(name, f"echo {name} > /run/mnt/own; sync; echo 3 > /proc/sys/vm/drop_caches")
        for name in ("m-1", "m-2"):
            self.assertEqual(self.deck.sh(name, "cat /run/mnt/own /run/mnt/file"), f"{name}\nhello\n")
        self.assertEqual(self.deck.sh("src", "ls /run/mnt/own 2>/dev/null; cat /run/mnt/file"), "hello\n")
        self.deck.run("rm", "-f", "m-1", "m-2")
        self.deck.run("rm", "--snapshot", "m")

    def test_4_a_disk_from_a_file(self):
        path = self.deck.dir / "raw.img"
        path.write_bytes(b"A" * 512 + bytes(3 << 20) + b"Z" * 100)
        self.deck.boot("file", "--disk", str(path), "--disk", "2M")
        self.wait_disk("file", "vdb")
        self.assertEqual(self.deck.sh("file", "head -c 4 /dev/vda; cat /sys/block/vdb/size"), "AAAA4096\n")
        self.assertEqual(self.get("file", 3)[:4], "")
        self.put("file", 0, "changed")
        self.assertEqual(path.read_bytes()[:512], b"A" * 512, "the image was copied, not used")
        self.deck.run("rm", "-f", "file")
        self.assertIn("0Q", self.deck.error("boot", "--disk", "0Q", code=None))
        self.deck.run("boot", "--disk", "/no/such/file", code=1)


class Leaks(DeckCase):
    CYCLES = 8

    def state(self, src):
        guest = "exec 3<&-; ls /proc/1/fd | wc -l; ls -d /proc/[0-9]* | wc -l"
        counts = [int(n) for n in self.deck.sh("src", guest).split()]
        daemon = self.deck.daemon_pid()
        return {"daemon fds": fd_count(daemon), "vmm fds": fd_count(src["pid"]),
                "threads": len(os.listdir(f"/proc/{daemon}/task")), "guest fds": counts[0], "guest procs": counts[1],
                "vmms": len(self.deck.vmms()), "files": sorted(self.deck.stored())}

    def cycle(self, n):
        self.deck.run("snapshot", "src", "leak")
        self.deck.run("clone", "leak", "--name", "copy")
        self.assertEqual(self.deck.sh("copy-1", f"echo {n}"), f"{n}\n")
        self.deck.run("rm", "-f", "copy-1")
        self.deck.run("rm", "--snapshot", "leak")

    def test_cycles_leave_nothing(self):
        src = self.deck.boot("src", "--", "sh", "-c", NUMBERED)
        self.cycle(0)  # the first one makes what is kept: threads, a private mapping
        wait_for("the trash is emptied", lambda: not list((self.deck.home / "trash").glob("*")), 20)
        before = self.state(src)
        for n in range(self.CYCLES):
            self.cycle(n)

        def same():
            now = self.state(src)
            return all(now[k] <= v if k != "files" else now[k] == v for k, v in before.items())
        try:
            wait_for("all is given back", same, 20)
        except AssertionError:
            self.assertEqual(self.state(src), before)
            raise
        self.assertEqual(src["pid"], self.deck.vm("src")["pid"])
