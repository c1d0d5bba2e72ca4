"""The pane beside tmux: the same bytes at the same size give the same screen. What differs on purpose stands in
EXPLAINED with its reason; everything else must be equal, row by row."""
import os
import pty
import random
import select
import shutil
import subprocess
import struct
import fcntl
import tempfile
import termios
import unittest

from decklib import BUILD, LIMIT

ROWS, COLS = 24, 80

# name of a case -> why its screen is not tmux's
EXPLAINED = {"line drawing": "capture-pane prints the letters that stand for lines, the pane has the lines"}

CASES = {
    "wrap": b"x" * 79 + b"yz" + b"a" * 80 + b"\r\nb" + b"c" * 200,
    "wrap off": b"\x1b[?7l" + b"x" * 100 + b"end\r\n\x1b[?7hback",
    "tabs": b"a\tb\tc\r\n\x1b[3g\x1b[11G\x1bH\ra\tx\r\n\x1b[2Ztab",
    "region": b"\x1b[5;10r\x1b[5H" + b"".join(b"line %d\r\n" % i for i in range(12)) + b"\x1b[r\x1b[20Hbelow",
    "reverse index": b"\x1b[2;6r\x1b[2Hone\x1bM\x1bMtwo\x1b[r",
    "scroll": b"".join(b"%d\r\n" % i for i in range(30)) + b"\x1b[3S\x1b[2Tz",
    "insert and delete": b"abcdefgh\r\x1b[3@123\x1b[2P\r\n1\r\n2\r\n3\x1b[2A\x1b[2L\x1b[M",
    "insert mode": b"abcdef\r\x1b[4hXY\x1b[4lZ",
    "erase": b"abcdefghij\x1b[5G\x1b[K\r\nabcdefghij\x1b[5G\x1b[1K\r\nabcdefghij\x1b[3G\x1b[4X",
    "wide": "中文字\r\n".encode() + b"x" * 79 + "中文\r\n".encode() + "日本語\x1b[3Gx\r\n".encode(),
    "combining": "e\u0301a\u0308o\u0323\u0301 n\u0303\r\n".encode(),
    "repeat": b"ab\x1b[5b-\x1b[3b\r\n",
    "alternate": b"before\r\n\x1b[?1049hfull\x1b[H\x1b[2Jscreen\x1b[?1049lafter",
    "alternate kept": b"before\r\n\x1b[?1049h\x1b[2J\x1b[10;10Hinside",
    "save and restore": b"one\x1b7\x1b[10;10Htwo\x1b8three",
    "origin": b"\x1b[5;10r\x1b[?6h\x1b[2;2Hin\x1b[?6l\x1b[Hout\x1b[r",
    "line drawing": b"\x1b(0lqqk\x1b(B plain\r\n\x0exx\x0f",
    "colours": b"\x1b[31;1mred\x1b[38;5;200mfive\x1b[48;2;1;2;3mrgb\x1b[0m\x1b[38:2::9:8:7mcolons\x1b[m",
    "strings": b"a\x1b]0;title\x07b\x1b]52;c;eA==\x1b\\c\x1bP1;2|x\x1b\\d",
    "broken": b"\x1b[999;999H*\x1b[0;0H+\x1b[;;;m\x1b[?\x18ok\x1b[1\x1aok",
}
SCREENS = ({"vi": ["vi", "FILE"], "less": ["less", "FILE"], "top": ["top", "-n", "2", "-d", "0.2"],
            "htop": ["htop"], "mc": ["mc", "-d"], "dialog": ["dialog", "--msgbox", "hello there", "8", "40"]})


def random_bytes(seed):
    """Sequences that mean something, in any order."""
    r = random.Random(seed)
    out = []
    for _ in range(300):
        n, m = r.randint(1, 30), r.randint(1, 90)
        out.append(r.choice((
            f"\x1b[{n};{m}H", f"\x1b[{n}A", f"\x1b[{n}B", f"\x1b[{m}C", f"\x1b[{m}D", f"\x1b[{n % 4}L", f"\x1b[{n % 4}M",
            f"\x1b[{n}@", f"\x1b[{n}P", f"\x1b[{n}X", f"\x1b[{n % 3}K", f"\x1b[{n % 3}J", "\r\n", "\n", "\b", "\t",
            f"\x1b[{m % 108}m", "\x1bM", "\x1bD", "\x1bE", f"\x1b[{n}G", f"\x1b[{n}d", "word " * (n % 5), "x" * m)))
    return "".join(out).encode()


def record(argv):
    """What a full-screen program writes at its start, on a terminal of this size, until it rests."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="screen-256color", LC_ALL="C.UTF-8", LINES=str(ROWS), COLUMNS=str(COLS))
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLS, 0, 0))
        os.execvp(argv[0], argv)
    out = b""
    try:
        while len(out) < 1 << 20 and select.select([fd], [], [], 1.0)[0]:
            out += os.read(fd, 65536)
    except OSError:
        pass
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    os.close(fd)
    return out


class Tmux:
    def __init__(self, folder):
        self.folder, self.count = folder, 0
        self.env = dict(os.environ, LC_ALL="C.UTF-8", TERM="xterm-256color")
        self.env.pop("TMUX", None)

    def run(self, *args):
        p = subprocess.run(["tmux", "-u", "-f", "/dev/null", "-S", self.socket, *args], env=self.env,
                           capture_output=True, text=True, timeout=LIMIT, check=True)
        return p.stdout

    def screen(self, path):
        """The file on a fresh pane. Its end is told behind its last byte, by the terminal's own answer to a
        question (DSR): all before has been parsed then."""
        self.count += 1  # a server that ends keeps its socket for a while
        self.socket = os.path.join(self.folder, f"s{self.count}")
        script = (f"stty raw -echo; cat {path}; printf '\\030\\033[6n'; dd bs=1 count=4 >/dev/null 2>&1; "
                  f"tmux -S {self.socket} wait-for -S done; exec cat >/dev/null")
        self.run("new-session", "-d", "-x", str(COLS), "-y", str(ROWS), "sh", "-c", script)
        self.run("wait-for", "done")
        text = self.run("capture-pane", "-p")
        self.run("kill-server")
        return text


class PaneTmux(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="pane-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.tmux = Tmux(self.folder)

    def compare(self, name, data):
        path = os.path.join(self.folder, "bytes")
        with open(path, "wb") as f:
            f.write(data)
        ours = [subprocess.run([BUILD / "tests" / "pane_feed", path, str(ROWS), str(COLS), piece, "print"],
                               capture_output=True, text=True, timeout=LIMIT, check=True).stdout
                for piece in ("65536", "7")]
        self.assertEqual(ours[0], ours[1], f"{name}: pieces make a difference")
        theirs = self.tmux.screen(path)
        a, b = ([line.rstrip() for line in s.split("\n")[:ROWS]] for s in (ours[0], theirs))
        if name in EXPLAINED:
            return
        self.assertEqual(a, b, name)

    def test_sequences(self):
        for name, data in CASES.items():
            with self.subTest(name):
                self.compare(name, data)

    def test_programs(self):
        file = os.path.join(self.folder, "FILE")
        with open(file, "w") as f:
            f.writelines(f"line {i} of a file\twith a tab\n" for i in range(200))
        for name, argv in SCREENS.items():
            if shutil.which(argv[0]):
                with self.subTest(name):
                    self.compare(name, record([file if a == "FILE" else a for a in argv]))

    def test_random(self):
        for seed in range(20):
            with self.subTest(seed):
                self.compare(f"random {seed}", random_bytes(seed))
