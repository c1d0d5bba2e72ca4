#!/usr/bin/env python3
"""Screens as tests: each tests/screens/NAME.keys is a script of keys against the recorded session; what the console
then shows, as text and a letter a cell for the role that painted it, must be NAME.txt. A terminal emulator of its own
(tmux) must show the same text. --update writes the NAME.txt anew, --svg the pictures.

A script has a line a step: size COLSxROWS, option ARGS (of vmdeck replay), env NAME=VALUE, at MARK, at first TEXT (the first
line of the recording with it) or at SECONDS (these before the others), keys NAME... (as tmux calls them), type TEXT, wait TEXT, picture NAME TITLE. Nothing sleeps."""
import argparse
import difflib
import json
import lzma
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(HERE)]

LIMIT = 20  # s for one screen


def decode_keys(path):
    script = {"size": (100, 30), "options": [], "env": {}, "at": "0", "picture": None, "steps": []}
    for n, line in enumerate(path.read_text().splitlines(), 1):
        word, _, rest = line.partition(" ")
        if not word or word == "#":
            continue
        if word == "size":
            script["size"] = tuple(map(int, rest.split("x")))
        elif word == "option":
            script["options"] += rest.split()
        elif word == "env":
            name, _, value = rest.partition("=")
            script["env"][name] = value
        elif word == "at":
            script["at"] = rest
        elif word == "picture":
            script["picture"] = rest.split(" ", 1)
        elif word in ("keys", "type", "wait"):
            script["steps"].append((word, rest))
        else:
            raise SystemExit(f"{path.name}:{n}: no step '{word}'")
    return script


class Recording:
    """The committed recording, as a file that vmdeck reads."""

    def __init__(self, folder):
        self.path = pathlib.Path(folder) / "session.rec"
        self.text = lzma.decompress((HERE / "session.rec.xz").read_bytes()).decode()
        self.path.write_text(self.text)

    def seconds(self, at):
        text = at[6:] if at.startswith("first ") else f'"mark":"{at}"'
        for line in self.text.splitlines():
            if text in line:
                return json.loads(line)["ms"] / 1000
        return float(at)


class Screen:
    """A console on a recording, paused at one moment."""

    def __init__(self, build, recording, script, folder):
        from tmuxlib import Terminal
        self.script, self.fifo = script, os.path.join(folder, "shot")
        if not os.path.exists(self.fifo):
            os.mkfifo(self.fifo)
        self.shot = os.open(self.fifo, os.O_RDWR | os.O_NONBLOCK)
        env = {"PATH": os.environ["PATH"], "HOME": folder, "XDG_CONFIG_HOME": folder, "VMDECK_SCREENSHOT": self.fifo,
               "TMPDIR": folder, **script["env"]}
        pairs = [f"{k}={v}" for k, v in script["env"].items()]
        argv = ["env", "-u", "NO_COLOR", "-u", "COLORTERM", "-u", "VMDECK_THEME", "TZ=UTC", "TERM=tmux-256color",
                *pairs, build / "vmdeck", "replay", "--paused", "--from", f"{recording.seconds(script['at']):.3f}", *script["options"], recording.path]
        cols, rows = script["size"]
        self.t = Terminal(argv, env, cols=cols, rows=rows)

    def close(self):
        self.t.close()
        os.close(self.shot)

    def run(self):
        for word, rest in self.script["steps"]:
            if word == "keys":
                self.t.keys(*rest.split())
            elif word == "type":
                self.t.type(rest)
            else:
                self.t.wait(rest, LIMIT)

    def console(self):
        """Process number of the console: the child of the pane's shell that is no shell."""
        me = self.t.pane_pid()
        for d in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                stat = (d / "stat").read_text()
            except OSError:
                continue
            name, rest = stat[stat.index("(") + 1:].rsplit(")", 1)
            if name == "vmdeck" and int(rest.split()[1]) == me:
                return int(d.name)
        raise AssertionError("the console has ended:\n" + self.t.screen())

    def dump(self):
        """What the console says is on its screen."""
        os.kill(self.console(), signal.SIGUSR1)
        data = b""
        while not re.search(rb"\n---- roles\n.*\n[a-zA-Z0-9] [a-z.]+\n\Z", data, re.S):
            ready, _, _ = select.select([self.shot], [], [], LIMIT)
            if not ready:
                raise AssertionError("no screenshot came")
            data += os.read(self.shot, 1 << 20)
        # More may be on its way: a last line is a last line only when nothing follows at once.
        while select.select([self.shot], [], [], 0.02)[0]:
            data += os.read(self.shot, 1 << 20)
        return data.decode()

    def changes(self, seconds):
        """Waits for the console to write, at most so long."""
        select.select([self.t.fd], [], [], seconds)
        try:
            while os.read(self.t.fd, 65536):
                pass
        except BlockingIOError:
            pass

    def expect(self, golden):
        """The dump once it is golden; else the last one."""
        deadline = time.monotonic() + LIMIT
        while True:
            shown = self.dump()
            if shown == golden or time.monotonic() > deadline:
                return shown
            self.changes(0.2)

    def settled(self):
        """The dump once it does not change any more."""
        last, since = self.dump(), time.monotonic()
        while time.monotonic() - since < 0.7:
            self.changes(0.2)
            now = self.dump()
            if now != last:
                last, since = now, time.monotonic()
        return last

    def check_emulator(self, dump):
        """The second emulator shows the same text; raises else."""
        ours = dump.split("\n---- roles\n")[0].split("\n")[1:]
        deadline = time.monotonic() + 5
        while True:
            theirs = [line.rstrip() for line in self.t.screen().split("\n")][:len(ours)]
            if theirs == ours:
                return
            if time.monotonic() > deadline:
                raise AssertionError("tmux shows another screen:\n" + diff(ours, theirs, "console", "tmux"))
            self.changes(0.1)

    def picture(self):
        from svg import svg
        cols, rows = self.script["size"]
        text = self.t.tmux("capture-pane", "-p", "-e", "-N")
        x, y, on = self.t.tmux("display-message", "-p", "#{cursor_x} #{cursor_y} #{cursor_flag}").split()
        return svg(text, cols, rows, (int(x), int(y)) if on == "1" else None, self.script["picture"][1])


def write_png(path, folder):
    """Where rsvg-convert is installed; PNGs depend on fonts, so they are no part of the sources."""
    if shutil.which("rsvg-convert"):
        folder.mkdir(exist_ok=True)
        subprocess.run(["rsvg-convert", "-o", folder / f"{path.stem}.png", path], check=True)


def diff(want, got, a, b):
    return "\n".join(difflib.unified_diff(want, got, a, b, lineterm="", n=1))


def names():
    return sorted(p.stem for p in HERE.glob("*.keys"))


def check(build, name, recording, folder, update=False, svg_to=None):
    """Runs one script; returns what is wrong, or ''."""
    script, golden = decode_keys(HERE / f"{name}.keys"), HERE / f"{name}.txt"
    screen = Screen(build, recording, script, folder)
    try:
        screen.run()
        if update:
            shown = screen.settled()
            golden.write_text(shown)
        else:
            want = golden.read_text() if golden.exists() else ""
            shown = screen.expect(want)
            if shown != want:
                return diff(want.split("\n"), shown.split("\n"), f"{name}.txt", "the screen")
        screen.check_emulator(shown)
        if svg_to and script["picture"]:
            path = pathlib.Path(svg_to) / f"{script['picture'][0]}.svg"
            path.write_text(screen.picture())
            print(f"{path}: {path.stat().st_size // 1024} kB")
            write_png(path, pathlib.Path(build) / "screenshots")
    except AssertionError as x:
        return str(x)
    finally:
        screen.close()
    return ""


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--build", default="build/dev")
    ap.add_argument("--update", action="store_true", help="write the NAME.txt anew")
    ap.add_argument("--svg", help="write the pictures into this folder")
    ap.add_argument("name", nargs="*")
    args = ap.parse_args()
    os.environ["DECK_BUILD"] = str((ROOT / args.build).resolve())
    folder, bad = tempfile.mkdtemp(prefix="screens-"), 0
    try:
        recording = Recording(folder)
        for name in args.name or names():
            wrong = check((ROOT / args.build).resolve(), name, recording, folder, args.update, args.svg)
            bad += bool(wrong)
            print(f"{'FAIL' if wrong else 'ok':5}{name}{chr(10) if wrong else ''}{wrong}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
