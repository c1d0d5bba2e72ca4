#!/usr/bin/env python3
"""make soak: the console in a real pty for minutes: random keys, commands, mouse, pastes and sizes, while a daemon
(storm.py) is as bad to it as it can. A sanitizer report, an exit that no key asked for, or a key that is not taken
in time fails; then the seed and the last inputs are printed."""
import argparse
import collections
import fcntl
import os
import pathlib
import pty
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "soak"))
from storm import Storm, noise  # noqa: E402

# s of its own (waiting for a core is not its fault) that a key may wait: a try to connect takes 2, that of a
# recording 0.5, and one may come behind the other.
HANG = 3.5
BAD = re.compile(r"ERROR: \w+Sanitizer|runtime error:|console crashed")
NAMED = {"Up": b"\x1bOA", "Down": b"\x1bOB", "Right": b"\x1bOC", "Left": b"\x1bOD", "Home": b"\x1bOH", "End": b"\x1bOF",
         "PgUp": b"\x1b[5~", "PgDn": b"\x1b[6~", "Ins": b"\x1b[2~", "Del": b"\x1b[3~", "Enter": b"\r", "Tab": b"\t",
         "BackTab": b"\x1b[Z", "Esc": b"\x1b", "Backspace": b"\x7f", "Space": b" ", "F1": b"\x1bOP", "F10": b"\x1b[21~",
         "F12": b"\x1b[24~", "M-Right": b"\x1b[1;3C", "M-Left": b"\x1b[1;3D"}
LEAVES = {"quit", "close"}


def key_bytes(name):
    if name in NAMED:
        return NAMED[name]
    if name.startswith("C-") and len(name) == 3:
        return bytes([ord(name[2]) & 0x1f])
    if name.startswith("M-") and len(name) == 3:
        return b"\x1b" + name[2].encode()
    return name.encode() if len(name) == 1 else b""


def actions():
    """(name, keys) of every action, from the table itself."""
    text = (ROOT / "tui/console/actions.def").read_text()
    return [(m[1], m[2].split()) for m in re.finditer(r'^ACTION\(\w+, "([^"]+)", [^"]*?"([^"]*)"', text, re.M)]


class Inputs:
    """What the operator does next: (text for the report, bytes, new size or None)."""

    def __init__(self, rng):
        self.rng, self.table = rng, actions()
        self.keys = [k for name, keys in self.table if name not in LEAVES for k in keys if key_bytes(k)]
        self.commands = [name for name, _ in self.table if name not in LEAVES]

    def next(self):
        r = self.rng
        kind = r.random()
        if kind < 0.6:
            k = r.choice(self.keys)
            return k, key_bytes(k), None
        if kind < 0.7:
            k = r.choice(["Enter", "Esc", "Esc", "Tab", "Backspace", "y", "n", "C-]", "F12", "d"])
            return k, key_bytes(k), None
        if kind < 0.8:
            line = f":{r.choice(self.commands)} {r.choice(['', '', 'web', '1', '~', 'state=running', '99999999'])}".strip()
            return line, line.encode() + r.choice([b"\r", b"\t", b"\x1b", b"\t\t\r"]), None
        if kind < 0.86:
            size = r.choice([(1, 1), (200, 500), (24, 80), (10, 40), (9, 39), (r.randint(1, 60), r.randint(1, 220))])
            return f"size {size[1]}x{size[0]}", b"", size
        if kind < 0.94:
            b, x, y, end = r.choice([0, 0, 1, 2, 32, 64, 65, 67]), r.randint(1, 220), r.randint(1, 60), r.choice("MMm")
            return f"mouse {b} {x},{y}{end}", f"\x1b[<{b};{x};{y}{end}".encode(), None
        if kind < 0.97:
            text = noise(r, 40)[:400].replace(b"\x1b[201~", b"")
            return "paste", b"\x1b[200~" + text + b"\x1b[201~", None
        text = bytes(r.choice(b"abcxyz/:?123 \x1b[O;<~M") for _ in range(r.randint(1, 20)))
        return f"typed {text!r}", text, None


class Console:
    def __init__(self, program, folder, env):
        self.errors = folder / "stderr"
        self.master, self.slave = pty.openpty()
        self.set_size(24, 80)
        with open(self.errors, "ab") as err:
            self.proc = subprocess.Popen([str(program)], stdin=self.slave, stdout=self.slave, stderr=err, env=env, cwd=folder,
                                         preexec_fn=self.take_terminal)
        self.written, self.shows = 0, threading.Event()
        self.reader = threading.Thread(target=self.drain, daemon=True)
        self.reader.start()
        # What is typed before it has the terminal is the terminal's, which knows C-c.
        self.shows.wait(20)

    @staticmethod
    def take_terminal():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def drain(self):
        try:
            while data := os.read(self.master, 1 << 16):
                self.written += len(data)
                self.shows.set()
        except OSError:
            pass

    def set_size(self, rows, cols):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def waiting(self):
        return struct.unpack("i", fcntl.ioctl(self.slave, termios.FIONREAD, b"\0" * 4))[0]

    def starved(self):
        """s that the process could run and got no core."""
        try:
            return int(pathlib.Path(f"/proc/{self.proc.pid}/schedstat").read_text().split()[1]) / 1e9
        except OSError:
            return 0

    def taken(self):
        """Whether it takes what was typed, in time."""
        start, starved = time.monotonic(), self.starved()
        while self.waiting() and self.proc.poll() is None:
            if time.monotonic() - start - (self.starved() - starved) > HANG:
                return False
            time.sleep(0.002)
        return True

    def close(self):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()
        os.close(self.slave)
        self.reader.join()
        os.close(self.master)


def away(console):
    return console.proc.returncode == 1 and console.errors.read_text().endswith("not today\n")


class Failure(Exception):
    pass


def check(console):
    text = console.errors.read_text(errors="replace")
    if BAD.search(text):
        raise Failure("a report:\n" + text[-6000:])


def end(console):
    """By SIGTERM, which must leave no report either."""
    console.proc.send_signal(signal.SIGTERM)
    try:
        console.proc.wait(20)
    except subprocess.TimeoutExpired:
        raise Failure("it does not end on SIGTERM") from None


def no_daemon(folder):
    """What the console finds when it wants to start a daemon: one that cannot. The storm comes back by itself."""
    program = folder / "vmdeckd"
    program.write_text("#!/bin/sh\necho 'not today' >&3\nexit 1\n")
    program.chmod(0o755)


def run(args, folder, inputs, last):
    env = dict(os.environ, VMDECK_HOME=str(folder), VMDECK_RUNTIME=str(folder), VMDECK_LIBEXEC=str(folder),
               XDG_STATE_HOME=str(folder), XDG_CONFIG_HOME=str(folder),
               TERM="xterm-256color", LC_ALL="C.UTF-8", UBSAN_OPTIONS="print_stacktrace=1")
    storm, count, runs, console = Storm(str(folder), args.seed), 0, 1, None
    no_daemon(folder)
    deadline = time.monotonic() + args.minutes * 60
    try:
        console = Console(args.build / "vmdeck", folder, env)
        while time.monotonic() < deadline:
            text, data, size = inputs.next()
            last.append(text)
            count += 1
            if size:
                console.set_size(*size)
            for i in range(0, len(data), 200):
                os.write(console.master, data[i:i + 200])
                if not console.taken():
                    raise Failure(f"a key is not taken for {HANG} s")
            if inputs.rng.random() < 0.2:
                time.sleep(inputs.rng.choice([0.001, 0.03, 0.1]))
            if console.proc.poll() is not None:
                check(console)
                # One that starts while the daemon is away says so and ends.
                if console.proc.returncode != 0 and not away(console):
                    raise Failure(f"it ended with {console.proc.returncode}: {console.errors.read_text()[-3000:]}")
                console.close()
                console, runs = Console(args.build / "vmdeck", folder, env), runs + 1
        end(console)
        check(console)
    finally:
        if console:
            console.close()
        storm.close()
    print(f"soak: {count} inputs, {runs} consoles, {args.minutes:g} minutes, seed {args.seed}: nothing found", flush=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--build", default=ROOT / "build/asan", type=pathlib.Path)
    ap.add_argument("--minutes", type=float, default=30)
    ap.add_argument("--seed", type=int, default=random.SystemRandom().randint(1, 1 << 30))
    args = ap.parse_args()
    args.build = args.build.resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="soak-"))
    last = collections.deque(maxlen=50)
    print(f"soak: seed {args.seed}", flush=True)
    try:
        run(args, folder, Inputs(random.Random(args.seed)), last)
    except Failure as x:
        print(f"soak: seed {args.seed}: {x}\nlast inputs, newest last:\n  " + "\n  ".join(last), flush=True)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


sys.exit(main())
