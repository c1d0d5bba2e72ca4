#!/usr/bin/env python3
"""make screenshots: drives the console in a private terminal over real VMs and writes what is on the screen as
SVG. Times, ids and process numbers differ from run to run; nothing else should."""
import argparse
import contextlib
import os
import pathlib
import re
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "e2e"), str(ROOT / "tests" / "screens")]
ap = argparse.ArgumentParser(description=__doc__)
ap.add_argument("--build", default="build/dev")
ap.add_argument("--out", default="screenshots")
ap.add_argument("--only", default="", help="names of pictures, with commas between")
args = ap.parse_args()
os.environ["DECK_BUILD"] = str((ROOT / args.build).resolve())

from decklib import BUILD, Deck  # noqa: E402
from svg import SGR, svg  # noqa: E402
from tmuxlib import Terminal  # noqa: E402

COLS, ROWS = 100, 26
# What the VMs of the pictures do. web: a terminal with top, and something for it to show.
WEB = "httpd -p 8080; exec top -d 1"
BUSY = "setsid sha256sum /dev/zero </dev/null >/dev/null 2>&1 &"
WORKER = "i=0; while :; do i=$((i+1)); echo \"job $i: done, queue $((i*7%5))\"; sleep 0.2; done"


class Scene:
    """One console on the shared deck."""

    def __init__(self, stack, deck, rows=ROWS, theme=None):
        argv = ["env", "TERM=tmux-256color", BUILD / "vmdeck"]
        self.deck, self.rows = deck, rows
        self.t = Terminal(argv + (["--theme", theme] if theme else []), deck.env, cols=COLS, rows=rows)
        stack.callback(self.t.close)
        self.wait = self.t.wait
        self.wait("running")

    def select(self, name):
        """Moves down to the VM's row from the first one."""
        self.t.keys("g")
        for _ in range([vm["name"] for vm in self.deck.json("ls")].index(name)):
            self.t.keys("j")
        self.wait(f"── {name}  [")

    def shoot(self, name, title, when):
        """Writes the first screen for which when(its text) holds."""
        taken = []

        def good(_):
            taken[:] = [self.t.tmux("capture-pane", "-p", "-e", "-N")]  # -N: blanks at a line's end have colours too
            return when(SGR.sub("", taken[0]))

        self.wait(good)
        x, y, shown = self.t.tmux("display-message", "-p", "#{cursor_x} #{cursor_y} #{cursor_flag}").split()
        picture = svg(taken[0], COLS, self.rows, (int(x), int(y)) if shown == "1" else None, title)
        path = ROOT / args.out / f"{name}.svg"
        path.parent.mkdir(exist_ok=True)
        path.write_text(picture)
        print(f"{path.relative_to(ROOT)}: {len(picture) // 1024} kB")


def row_has(name, word):
    return lambda s: any(name in line and word in line for line in s.split("\n"))


def boot_vms(deck):
    deck.run("boot", "--name", "web", "-t", "--", "sh", "-c", WEB)
    deck.run("boot", "--name", "worker", "--", "sh", "-c", WORKER)
    deck.run("boot", "--name", "db")
    deck.run("pause", "db")
    deck.run("boot", "--name", "nightly", "--", "sh", "-c", "echo nothing to do")
    rpc = deck.rpc(subscribe=True)  # before the look: no end is missed
    if deck.vm("nightly")["state"] != "stopped":
        rpc.wait_event("vm.state", vm="nightly", to="stopped")
    rpc.close()


def shoot_console(stack, deck):
    """Keys at top in web, while api boots."""
    s = Scene(stack, deck)
    s.wait(lambda text: row_has("db", "paused")(text) and row_has("nightly", "stopped")(text))
    s.select("web")
    s.t.keys("a")
    s.wait("KEYS: guest")
    s.wait("Load average")
    deck.run("exec", "web", "--", "sh", "-c", BUSY)
    s.wait("sha256sum")
    api = deck.popen("boot", "--name", "api")

    def good(text):
        # top draws anew once it has noticed that the pane has become smaller; then it fills the pane.
        last_of_pane = text.split("\n")[ROWS - 3]
        return row_has("api", "starting")(text) and "Mem:" in text and "sha256sum" in text and last_of_pane.strip()

    s.shoot("console", "vmdeck: five VMs, top in the pane of one", good)
    api.communicate()
    deck.run("exec", "web", "--", "killall", "sha256sum")
    deck.run("rm", "-f", "api")


def shoot_windows(stack, deck):
    """Three VMs at once: keys at top in the one, the others go on."""
    s = Scene(stack, deck)
    s.select("worker")
    s.t.keys("C-w", "s", "C-w", "v")
    s.wait(lambda text: text.count("worker ") > 3)
    s.t.keys("Tab", "Tab", "t", "BTab", "BTab")
    s.wait("[timeline]")
    s.t.keys("g")
    s.wait(row_has("›web", "[output]"))
    s.t.keys("a")
    s.wait("KEYS: guest")
    s.shoot("windows", "vmdeck: keys at top in one window, two others beside it",
            lambda text: all(w in text for w in ("top -d", "httpd", "usually")) and "job" in text.split("\n")[ROWS - 4])


def shoot_boot(stack, deck):
    """A VM that boots, with what it waits for."""
    s = Scene(stack, deck, rows=20)
    s.t.keys("b")
    s.wait("boot a VM")
    s.t.type("api")
    s.wait("name    api")
    s.t.keys("Enter")
    s.shoot("boot", "vmdeck: a VM boots", lambda text: re.search(r"(?s)\] PCI[^\n]*\n.*since \d+\.[5-9] s", text))
    s.wait(row_has("api", "running"))
    deck.run("rm", "-f", "api")


def shoot_help(stack, deck):
    s = Scene(stack, deck, rows=100)
    s.t.keys("?")
    s.shoot("help", "vmdeck: every key", lambda text: "any other key closes" in text)


def shoot_light(stack, deck):
    """A light theme, and an exec in a tab of its own."""
    s = Scene(stack, deck, rows=22, theme="paper")
    s.select("worker")
    s.t.keys("e")
    s.wait("exec")
    s.t.type("uname -srm; free -m; df -h | head -n 4; ls /nowhere")
    s.t.keys("Enter")
    s.shoot("light", "vmdeck: the theme paper", lambda text: "exit 1 after" in text)


def set_pool(deck, snapshot, count):
    rpc = deck.rpc()
    rpc.call("snapshot.pool", name=snapshot, count=count)
    rpc.close()


def take_until(done, deck, vm, name):
    while not done.is_set():
        deck.run("snapshot", "--replace", vm, name)


def shoot_snapshots(stack, deck):
    """Snapshots with users and percentiles, one with a pool, one of a clone, one being made."""
    deck.run("snapshot", "worker", "warm")
    deck.run("clone", "warm", "-n", "3", "--name", "job")
    deck.run("snapshot", "job-1", "warm-later")
    set_pool(deck, "warm", 1)
    s = Scene(stack, deck, rows=22)
    s.t.keys("2")
    s.wait(lambda text: row_has("warm-later", "job-1")(text) and row_has("warm", "1/1")(text))
    s.t.keys("g")
    s.wait("job-1, job-2, job-3")
    # Over before one looks, now and then: taken anew until the picture is there.
    done = threading.Event()
    thread = threading.Thread(target=take_until, args=(done, deck, "worker", "nightly-1"))
    thread.start()
    try:
        s.shoot("snapshots", "vmdeck: snapshots, one being made", row_has("nightly-1", "█"))
    finally:
        done.set()
        thread.join()
    set_pool(deck, "warm", 0)
    deck.run("rm", "-f", "job-1", "job-2", "job-3")


def shoot_waterfall(stack, deck):
    """A restore beside what is usual for its snapshot."""
    deck.run("snapshot", "worker", "base")
    for n in range(5):
        deck.run("restore", "base", "--name", f"copy-{n}")
        deck.run("rm", "-f", f"copy-{n}")
    deck.run("clone", "base", "-n", "4", "--name", "web")
    s = Scene(stack, deck, rows=24)
    s.t.keys("3")
    s.wait("[3 Restores")
    s.shoot("waterfall", "vmdeck: the phases of a restore, and what is usual",
            lambda text: row_has("health", "11 s")(text) and "times)" in text and "queue" in text)
    deck.run("rm", "-f", "web-1", "web-2", "web-3", "web-4")


SHOTS = {"console": shoot_console, "windows": shoot_windows, "boot": shoot_boot, "help": shoot_help, "light": shoot_light,
         "snapshots": shoot_snapshots, "waterfall": shoot_waterfall}


def main():
    wanted = args.only.split(",") if args.only else list(SHOTS)
    deck = Deck()
    try:
        boot_vms(deck)
        for name in wanted:
            with contextlib.ExitStack() as stack:
                SHOTS[name](stack, deck)
    finally:
        deck.close()


main()
