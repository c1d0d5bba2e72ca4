"""The console in other terminals than the usual one, and what happens to it and to them by signals."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from decklib import BUILD, Deck, DeckCase, alive, running_program, wait_for
from ptylib import Pty
from tmuxlib import Terminal

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MOUSE_ON, MOUSE_OFF, LEAVE = b"\x1b[?1006h", b"\x1b[?1006l", b"\x1b[?1049l"


class Terminals(DeckCase):
    process = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.deck.boot("one", "--", "sh", "-c", r"printf 'colour \033[31mred\033[0m\n'; exec sleep 100000")

    def open(self, term="xterm-256color", argv=None, **kw):
        t = Terminal(["env", f"TERM={term}", *(argv or []), BUILD / "vmdeck"], self.deck.env, **kw)
        self.addCleanup(t.close)
        return t

    def pty(self, **kw):
        p = Pty([BUILD / "vmdeck"], self.deck.env, **kw)
        self.addCleanup(p.close)
        p.wait(b"running")
        return p

    def check_screens(self, t):
        """List, help and boot dialog are readable, without pieces of sequences, at 80x24 and at 40x10."""
        def clean(screen):
            self.assertNotRegex(screen, r"\x1b|\[[0-9;]+[mHJK]|[\ufffd]|\$<")
        clean(t.wait(lambda s: "one" in s and "running" in s and "colour red" in s))
        t.keys("?")
        clean(t.wait(lambda s: ":boot" in s and "any other key closes" in s))
        t.keys("Escape")
        t.wait(lambda s: "any other key" not in s)
        t.keys("b")
        clean(t.wait(lambda s: "boot a VM" in s and "memory" in s))
        t.keys("Escape")
        t.wait(lambda s: "boot a VM" not in s)
        t.resize(40, 10)
        clean(t.wait(lambda s: "one" in s and "quit" in s and "24" not in s.split("\n")[0]))
        t.keys("b")
        clean(t.wait("boot a VM"))
        t.keys("Escape")
        t.wait(lambda s: "boot a VM" not in s)
        t.resize(39, 10)
        clean(t.wait("vmdeck needs 40x10"))
        t.resize(80, 24)
        clean(t.wait("one"))

    def test_kinds_of_terminals(self):
        for term in ("linux", "vt100", "xterm", "xterm-256color", "screen", "tmux-256color"):
            with self.subTest(term=term):
                t = self.open(term, cols=80, rows=24)
                self.check_screens(t)
                colours = t.screen(colours=True)
                if term == "vt100":
                    self.assertNotRegex(colours, r"\x1b\[[0-9;]*(3[0-7]|4[0-7]|9[0-7]|38|48)[;m]")
                if term in ("linux", "vt100"):
                    self.assertTrue(t.screen().isascii())
                t.keys("q")
                t.wait_exit(0)

    def test_in_screen(self):
        if not shutil.which("screen"):
            self.skipTest("screen is not installed")
        folder = tempfile.mkdtemp(prefix="screen-")
        self.addCleanup(shutil.rmtree, folder)
        self.addCleanup(subprocess.run, ["screen", "-X", "quit"], env=dict(os.environ, SCREENDIR=folder),
                        capture_output=True, timeout=30)
        t = self.open("screen-256color", ["SCREENDIR=" + folder, "LC_ALL=C.UTF-8", "screen", "-U", "-c", "/dev/null"],
                      cols=80, rows=24)
        self.check_screens(t)
        t.keys("q")
        t.wait("[exit 0]")

    def test_terminals_that_cannot(self):
        for term, why in (("dumb", "unable to place the cursor"), ("nonsense", "not known here")):
            t = self.open(term, cols=200)
            screen = t.wait("[exit 1]")
            self.assertIn(f"terminal type '{term}' is {why}: try TERM=xterm-256color vmdeck, or vmdeck --plain", screen)

    # -- keys and mouse

    def test_unknown_sequences_are_no_letters(self):
        p = self.pty()
        p.send(b"\x1b[99;5~")
        p.wait(b"ESC [99;5~")
        p.send(b"?")
        p.wait(b"any other key closes")
        p.send(b"\x1bx")  # Esc with a key close behind it
        p.wait(b"power off?")
        p.send(b"nQ")
        self.assertEqual(p.wait_end()[0], 0)

    def test_no_key_stays_behind(self):
        """A turn takes 256 keys; the one that came together with the last of them is not left for the next input."""
        p = self.pty()
        p.forget()
        p.send(b"j" * 255 + b"\x1b\x0c")
        p.wait(b"\x1b[2J", 5)
        p.send(b"Q")
        self.assertEqual(p.wait_end()[0], 0)

    def test_mouse(self):
        p = self.pty()
        p.forget()
        p.send(b"M")
        p.wait(b"Shift-drag selects text")
        p.wait(MOUSE_ON)
        p.send(b"\x1b[<0;5;1M\x1b[<0;5;1m\x1b[<64;")
        p.send(b"5;5M?")
        p.wait(b"any other key closes")
        p.send(b"\x1b")
        p.forget()
        p.send(b"M")
        p.wait(MOUSE_OFF)
        p.send(b"M")
        p.wait(MOUSE_ON)
        p.forget()
        p.send(b"Q")
        self.assertEqual(p.wait_end()[0], 0)
        self.assertIn(MOUSE_OFF, p.data)

    def test_mouse_reaches_the_guest(self):
        self.deck.boot("mouse", "--tty", "--", "sh", "-c", r"stty raw -echo; printf '\033[?1000h\033[?1006hready'; "
                       r"exec dd bs=1 count=9 2>/dev/null | od -c")
        self.addCleanup(self.deck.run, "rm", "-f", "mouse")
        p = self.pty()
        p.send(b"M:filter mouse\ra")
        p.wait(b"KEYS: guest")
        p.wait(b"ready")
        p.send(b"\x1b[<0;3;12M")
        p.wait(b"<   0   ;   3   ;")
        p.send(b"\x1d")
        p.send(b"dQQ")

    # -- signals

    def test_term_restores(self):
        p = self.pty()
        p.send(b"M")
        p.wait(MOUSE_ON)
        self.assertNotEqual(p.modes(), p.before)
        p.forget()
        p.proc.send_signal(signal.SIGTERM)
        self.assertEqual(p.wait_end(), (-signal.SIGTERM, ""))
        self.assertEqual(p.modes(), p.before)
        self.assertTrue(MOUSE_OFF in p.data and LEAVE in p.data and b"\x1b[?2004l" in p.data)

    def test_crash_restores_and_says_what_to_do(self):
        for sig in (signal.SIGSEGV, signal.SIGABRT):
            p = self.pty()
            p.forget()
            p.proc.send_signal(sig)
            code, text = p.wait_end()
            self.assertNotEqual(code, 0)
            self.assertIn("Please report this with the output of `vmdeck version`", text)
            self.assertEqual(p.modes(), p.before)
            self.assertIn(LEAVE, p.data)

    def test_lost_terminal_ends_it(self):
        for own in (True, False):  # by SIGHUP, and by the end of input alone
            p = self.pty(own=own)
            p.hang_up()
            code, text = p.wait_end()
            self.assertIn(code, (-signal.SIGHUP, 1))
            self.assertNotIn("Sanitizer", text)

    def test_stop_and_continue_repaint(self):
        p = self.pty()
        p.proc.send_signal(signal.SIGSTOP)
        wait_for("stopped", lambda: " T " in pathlib.Path(f"/proc/{p.proc.pid}/stat").read_text())
        p.forget()
        p.proc.send_signal(signal.SIGCONT)
        for text in (b"vmdeck", b"NAME", b"quit"):
            p.wait(text)

    def test_ctrl_z(self):
        env = dict(self.deck.env, PS1="prompt$ ", PATH=f"{BUILD}:{os.environ['PATH']}")
        t = Terminal(["bash", "--norc", "--noprofile", "-i"], env)
        self.addCleanup(t.close)
        t.type("vmdeck\n")
        t.wait("running")
        t.keys("M")
        t.wait("mouse on")
        self.assertEqual(t.tmux("display-message", "-p", "#{mouse_sgr_flag}").strip(), "1")
        t.keys("C-z")
        t.wait("Stopped")
        self.assertEqual(t.tmux("display-message", "-p", "#{mouse_sgr_flag}").strip(), "0")
        t.type("echo sane-$((6*7))\n")
        t.wait("sane-42")
        t.type("fg\n")
        t.wait(lambda s: "running" in s and "quit" in s and "sane" not in s)
        self.assertEqual(t.tmux("display-message", "-p", "#{mouse_sgr_flag}").strip(), "1")
        t.keys("Q")
        t.wait("sane-42")
        t.type("exit\n")
        t.wait_exit(0)

    def test_storm_of_sizes(self):
        p = self.pty()
        for i in range(300):
            p.resize(1 + i * 7 % 300, 1 + i * 3 % 90)
        p.forget()
        p.resize(111, 33)
        p.send(b"?")
        p.wait(b"any other key closes")
        p.send(b"\x1bQ")
        self.assertEqual(p.wait_end()[0], 0)

    # -- the daemon

    def test_daemon_that_is_stopped_stays_so(self):
        deck = Deck(image=False, process=True)
        self.addCleanup(deck.close)
        deck.run("ls")
        t = Terminal([BUILD / "vmdeck"], deck.env)
        self.addCleanup(t.close)
        t.wait("Press b")
        deck.run("daemon", "stop")
        t.wait("daemon stopped, R starts it")
        t.keys("p")
        self.assertEqual(running_program(BUILD / "testbin" / "vmdeckd", deck.home), [])
        t.keys("R")
        t.wait("connected to the daemon again")
        # One that another starts is found too; one that is killed is started at once.
        deck.run("daemon", "stop")
        t.wait("daemon stopped, R starts it")
        deck.run("ls")
        t.wait("connected to the daemon again")
        pid = deck.daemon_pid()
        os.kill(pid, signal.SIGKILL)
        wait_for("killed daemon is gone", lambda: not alive(pid))
        t.wait(lambda s: "daemon stopped" not in s and "lost" not in s)
        t.keys("q")
        t.wait_exit(0)

    def test_soak_for_a_moment(self):
        """`make soak` runs for as long as one likes; a fixed seed here."""
        p = subprocess.run([sys.executable, ROOT / "tests/soak/soak.py", "--build", BUILD, "--minutes", "0.33", "--seed", "7"],
                           capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
        self.assertTrue(p.returncode == 0 and re.search("nothing found", p.stdout), p.stdout + p.stderr)
