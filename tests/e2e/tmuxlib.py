"""A real terminal for tests: a private tmux server, keys in, screen out. Waiting for a screen is driven by the
program's own output (pipe-pane into a pipe), never by a clock."""
import os
import pathlib
import select
import shlex
import shutil
import subprocess
import tempfile
import time

from decklib import LIMIT, DeckError


class Terminal:
    def __init__(self, argv, env, cols=100, rows=30):
        self.dir = tempfile.mkdtemp(prefix="tmux-")
        self.socket = os.path.join(self.dir, "s")
        fifo = os.path.join(self.dir, "out")
        os.mkfifo(fifo)
        self.fd = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        keep = {k: v for k, v in env.items() if k.startswith(("VMDECK", "XDG", "NO_COLOR", "HOME", "PATH", "TMPDIR"))}
        script = "exec env " + " ".join(f"{k}={shlex.quote(v)}" for k, v in keep.items()) + " "
        script += " ".join(shlex.quote(str(a)) for a in argv)
        full = dict(os.environ, LC_ALL="C.UTF-8", TERM="xterm-256color")
        full.pop("TMUX", None)
        self.env = full
        # The wrapper waits for the pipe to be in place, so no output is missed, and keeps the pane at the end.
        gate = os.path.join(self.dir, "gate")
        os.mkfifo(gate)
        wrapper = f"read go < {gate}; sh -c {shlex.quote(script)}; echo \"[exit $?]\"; exec cat"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(cols), "-y", str(rows), wrapper)
        self.tmux("set", "-g", "status", "off")
        self.tmux("set", "-sg", "escape-time", "0")
        self.tmux("pipe-pane", f"cat > {fifo}")
        with open(gate, "w") as f:
            f.write("go\n")

    def tmux(self, *args):
        p = subprocess.run(["tmux", "-u", "-S", self.socket, *args], env=self.env, capture_output=True, text=True,
                           timeout=LIMIT)
        if p.returncode != 0:
            raise DeckError(f"tmux {args}: {p.stderr}")
        return p.stdout

    def screen(self, colours=False):
        return self.tmux("capture-pane", "-p", *(["-e"] if colours else []))

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def resize(self, cols, rows):
        self.tmux("resize-window", "-x", str(cols), "-y", str(rows))

    def wait(self, what, limit=LIMIT):
        """Until `what` (text, or a function of the screen) holds; returns the screen."""
        test = what if callable(what) else (lambda s: what in s)
        deadline = time.monotonic() + limit
        while True:
            screen = self.screen()
            if test(screen):
                return screen
            left = deadline - time.monotonic()
            if left <= 0:
                raise DeckError(f"the screen never showed {what!r}:\n{screen}")
            select.select([self.fd], [], [], min(left, 1))
            try:
                while os.read(self.fd, 65536):
                    pass
            except BlockingIOError:
                pass

    def wait_exit(self, code=0):
        return self.wait(f"[exit {code}]")

    def pane_pid(self):
        return int(self.tmux("display-message", "-p", "#{pane_pid}"))

    def close(self):
        try:
            subprocess.run(["tmux", "-S", self.socket, "kill-server"], env=self.env, capture_output=True, timeout=30)
        finally:
            os.close(self.fd)
            shutil.rmtree(self.dir, ignore_errors=True)
