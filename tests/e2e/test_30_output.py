"""The output stream: complete, in order, through floods, slow readers and a killed daemon."""
import hashlib
import os
import select
import struct
import subprocess

from decklib import LIMIT, DeckCase, Frames

MB = 1 << 20
# 256 numbered lines of 64 bytes a block: a lost or doubled line shows in the numbers.
NUMBERS = "i=0; while [ $i -lt %d ]; do echo line-$i; i=$((i+1)); done"


def flood(mb):
    """Deterministic bytes, written as fast as the guest can; the host computes the same."""
    return f"yes 0123456789abcdefghijklmnopqrstuvwxyz | head -c {mb * MB}"


def flood_hash(mb):
    line = b"0123456789abcdefghijklmnopqrstuvwxyz\n"
    n = mb * MB
    return hashlib.sha256((line * (n // len(line) + 1))[:n]).hexdigest()


class Flood(DeckCase):
    def gate(self, name):
        """Shell text that waits until the test says go."""
        go = self.guest_path(f"go-{name}")
        return f"mkfifo {go}; read go < {go}; "

    def open_gate(self, name):
        """The pipe may not be there yet: a boot ends when the agent answers, not when its command runs."""
        go = self.guest_path(f"go-{name}")
        self.deck.run("exec", name, "--", "sh", "-c", f"until [ -p {go} ]; do sleep 0.02; done; echo go > {go}")

    def wait_stopped(self, name):
        r = self.deck.rpc(subscribe=True)
        if self.deck.vm(name)["state"] != "stopped":
            r.wait_event("vm.state", name, to="stopped")
        r.close()

    def log_hash(self, name):
        return hashlib.sha256(self.deck.run("logs", name)[0]).hexdigest()

    def test_flood_is_complete_in_log_and_attach(self):
        mb = 24
        self.deck.boot("flood", "--", "sh", "-c", self.gate("flood") + flood(mb))
        attach = self.deck.popen("attach", "--no-stdin", "flood")
        self.addCleanup(attach.communicate)
        self.addCleanup(attach.kill)
        h, total = hashlib.sha256(), 0
        self.open_gate("flood")
        for chunk in iter(lambda: attach.stdout.read(65536), b""):
            h.update(chunk)
            total += len(chunk)
        attach.communicate(timeout=60)
        self.assertEqual(total, mb * MB)
        self.assertEqual(h.hexdigest(), flood_hash(mb))
        self.wait_stopped("flood")
        self.assertEqual(self.log_hash("flood"), flood_hash(mb))
        self.deck.run("rm", "flood")

    def test_slow_reader_delays_nobody(self):
        self.deck.boot("slow")
        slow = self.deck.rpc()
        slow.call("vm.attach", vm="slow")
        self.deck.run("exec", "slow", "--", "sh", "-c", flood(8) + " > " + self.output_fifo("slow"))
        out, _ = self.deck.run("exec", "slow", "--", "echo", "here")
        self.assertEqual(out, b"here\n")
        frames, got = Frames(slow), b""
        while len(got) < 8 * MB:
            kind, payload = frames.next()
            if kind == Frames.OUT_DATA:
                offset, = struct.unpack("<Q", payload[:8])
                got += payload[8:]
        slow.close()
        self.assertIn(b"0123456789", got)
        self.deck.run("rm", "-f", "slow")

    def test_daemon_killed_in_a_flood_loses_nothing(self):
        lines = 60000
        self.deck.boot("numbers", "--", "sh", "-c", self.gate("numbers") + NUMBERS % lines)
        r = self.deck.rpc(subscribe=True)
        self.open_gate("numbers")
        for _ in range(3):
            self.deck.kill_daemon()
            self.deck.run("ls")  # starts the next daemon, which adopts
        r.close()
        self.wait_stopped("numbers")
        got = self.deck.run("logs", "numbers")[0]
        want = b"".join(b"line-%d\n" % i for i in range(lines))
        self.assertEqual(hashlib.sha256(got).hexdigest(), hashlib.sha256(want).hexdigest(),
                         f"{len(got)} bytes, not {len(want)}")

    def test_attach_types_into_the_shell(self):
        self.deck.boot("typed")
        p = self.deck.popen("attach", "--stdin", "typed", stdin=subprocess.PIPE)
        p.stdin.write(b"echo mark-$((40+2))\n")
        p.stdin.flush()
        seen = b""
        while b"mark-42" not in seen:
            self.assertTrue(select.select([p.stdout], [], [], LIMIT)[0], seen)
            chunk = os.read(p.stdout.fileno(), 65536)
            self.assertTrue(chunk, seen)
            seen += chunk
        p.kill()
        p.communicate()
        self.deck.run("rm", "-f", "typed")


class FloodProcess(Flood):
    process = True
