"""Parsing of guest output: a pane of the console beside a pane of tmux, the same bytes in the same run. tmux's time has
its reading from a terminal in it, as it always has; ours begins with the bytes in memory."""
import os
import random
import shutil
import subprocess
import tempfile
import time

from decklib import BUILD, LIMIT
from measure import pair_ratio, row

ROWS, COLS, SIZE = 50, 132, 16 << 20
WORDS = "the quick brown fox jumps over a lazy dog kernel restore 0123456789".split()


def plain(r):
    return " ".join(r.choice(WORDS) for _ in range(r.randint(2, 16))) + "\r\n"


def colours(r):
    def word():
        if r.random() < 0.7:
            return f"\x1b[{r.randint(0, 1)};38;5;{r.randrange(256)}m{r.choice(WORDS)} "
        return f"\x1b[48;2;{r.randrange(256)};9;9m{r.choice(WORDS)}\x1b[0m "
    return "".join(word() for _ in range(10)) + "\r\n"


def write(path, line):
    r, n = random.Random(1), 0
    with open(path, "w") as f:
        while n < SIZE:
            n += f.write(line(r))
    return n


def ours(path):
    return float(subprocess.check_output([BUILD / "tests" / "pane_feed", path, str(ROWS), str(COLS), "16384", "time"]))


def tmux(folder, path, n):
    """From the first byte to the answer to a question behind the last one."""
    env = dict(os.environ, LC_ALL="C.UTF-8", TERM="xterm-256color")
    env.pop("TMUX", None)
    base = ["tmux", "-u", "-f", "/dev/null", "-S", f"{folder}/s{n}"]

    def run(*args):
        subprocess.run([*base, *args], env=env, check=True, capture_output=True, timeout=LIMIT)
    gate = f"{folder}/gate{n}"
    os.mkfifo(gate)
    run("new-session", "-d", "-x", str(COLS), "-y", str(ROWS), "sh", "-c",
        f"stty raw -echo; read go < {gate}; cat {path}; printf '\\033[6n'; dd bs=1 count=4 >/dev/null 2>&1; "
        f"{' '.join(base)} wait-for -S done; exec cat >/dev/null")
    with open(gate, "w") as f:
        start = time.perf_counter()
        f.write("go\n")
    run("wait-for", "done")
    took = time.perf_counter() - start
    run("kill-server")
    return took


def bench_pane(rounds=5):
    folder = tempfile.mkdtemp(prefix="bench-pane-")
    try:
        for name, line in (("plain text", plain), ("colours", colours)):
            path = f"{folder}/bytes"
            size = write(path, line)
            pairs = [(tmux(folder, path, f"{name[0]}{i}"), ours(path)) for i in range(rounds)]
            best = min(b for _, b in pairs)
            row(f"pane: {name}, time to parse / tmux's", f"{size / best / 1e6:.0f} MB/s", pair_ratio(pairs), 1.0)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
