"""A bare pty for what tmux would hide: the bytes themselves, the terminal's modes, its end."""
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

from decklib import LIMIT, DeckError


class Pty:
    """A program with this terminal as its controlling one (own: False, only as stdin and stdout)."""

    def __init__(self, argv, env, cols=80, rows=24, own=True):
        self.master, self.slave = pty.openpty()
        self.resize(cols, rows)
        self.before = termios.tcgetattr(self.slave)

        def take_terminal():
            os.setsid()
            if own:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        self.proc = subprocess.Popen([str(a) for a in argv], stdin=self.slave, stdout=self.slave, stderr=subprocess.PIPE,
                                     env=dict(env, LC_ALL="C.UTF-8"), preexec_fn=take_terminal)
        self.data = b""

    def resize(self, cols, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def send(self, data):
        os.write(self.master, data)

    def wait(self, what, limit=LIMIT):
        """Until the program wrote `what` (since forget()); all of it is kept in data."""
        deadline = time.monotonic() + limit
        while what not in self.data:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise DeckError(f"never written: {what!r}; the end is {self.data[-600:]!r}")
            self.data += os.read(self.master, 1 << 16)

    def quiet(self, seconds):
        """What is written within the time."""
        start, got = time.monotonic(), b""
        while (left := start + seconds - time.monotonic()) > 0:
            if select.select([self.master], [], [], left)[0]:
                got += os.read(self.master, 1 << 16)
        return got

    def forget(self):
        self.data = b""

    def modes(self):
        return termios.tcgetattr(self.slave)

    def wait_end(self):
        """Exit status and stderr; reads meanwhile, so that last words find room."""
        deadline = time.monotonic() + LIMIT
        while self.proc.poll() is None:
            if time.monotonic() > deadline:
                raise DeckError("the program does not end")
            if self.master >= 0 and select.select([self.master], [], [], 0.01)[0]:
                self.data += os.read(self.master, 1 << 16)
        while self.master >= 0 and select.select([self.master], [], [], 0)[0]:
            self.data += os.read(self.master, 1 << 16)
        return self.proc.returncode, self.proc.stderr.read().decode(errors="replace")

    def hang_up(self):
        """The terminal goes away, as when its window is closed."""
        os.close(self.slave)
        os.close(self.master)
        self.master = self.slave = -1

    def close(self):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()
        if not self.proc.stderr.closed:
            self.proc.stderr.close()
        if self.master >= 0:
            self.hang_up()
