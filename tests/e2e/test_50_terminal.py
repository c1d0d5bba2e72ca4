"""Full-screen programs and job control of a real guest through exec -t and shell, in a real terminal."""
import os
import signal
import subprocess

from decklib import BUILD, DeckCase, wait_for
from tmuxlib import Terminal


class Tty(DeckCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.deck.boot("tty")

    def open(self, *args, **kw):
        t = Terminal([BUILD / "vmdeck", *args], self.deck.env, **kw)
        self.addCleanup(t.close)
        return t

    def test_shell_job_control_and_ctrl_c(self):
        t = self.open("shell", "tty")
        t.wait("tty")
        t.type("stty size; echo size-done\n")
        self.assertIn("30 100", t.wait("\nsize-done"))
        # The shell ignores the key until the job has the terminal.
        t.type("sh -c 'echo slee-ping | tr -d -; exec sleep 1000'\n")
        t.wait("\nsleeping")
        t.keys("C-z")
        t.wait("Stopped")
        t.type("bg; jobs; kill %1; wait; echo jobs-$((1+1))\n")
        t.wait("jobs-2")
        t.type("sh -c 'echo be-gan | tr -d -; exec sleep 2000'\n")
        t.wait("\nbegan")
        t.keys("C-c")
        t.wait("^C")
        t.type("echo code-$?\n")
        t.wait("code-130")
        t.resize(80, 24)
        t.type("stty size; echo again-done\n")
        self.assertIn("24 80", t.wait("\nagain-done"))
        t.type("exit 5\n")
        t.wait_exit(5)

    def test_vi_edits_a_file(self):
        t = self.open("exec", "-it", "tty", "--", "vi", "/root/note")
        t.wait("/root/note")
        t.type("i")
        t.wait("I /root/note")
        t.type("hello from vi")
        t.wait("hello from vi")
        t.keys("Escape")
        t.wait("[Modified]")
        t.type(":wq\n")
        t.wait_exit(0)
        self.assertEqual(self.deck.run("exec", "tty", "--", "cat", "/root/note")[0], b"hello from vi\n")

    def test_top_follows_a_resize(self):
        t = self.open("exec", "-it", "tty", "--", "top")
        t.wait("PID")
        t.resize(60, 15)
        t.wait(lambda s: "PID" in s and len(s.rstrip("\n").split("\n")) <= 15)
        t.keys("q")
        t.wait_exit(0)

    def test_terminal_is_restored_when_the_client_is_ended(self):
        t = self.open("shell", "tty")
        t.wait("tty")
        out = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(t.pane_pid())], capture_output=True, text=True)
        pid = int(out.stdout.split()[0])
        wait_for("the client runs", lambda: "vmdeck" in open(f"/proc/{pid}/cmdline").read())
        os.kill(pid, signal.SIGTERM)
        t.wait("[exit")
        t.type("echoed")  # cat under a sane terminal: the tty itself echoes
        t.wait("echoed")

    def test_attach_and_detach(self):
        t = self.open("attach", "tty")
        t.type("\necho in-$((20+3))\n")
        t.wait("in-23")
        t.keys("C-]")
        t.type("d")
        t.wait_exit(0)
        self.assertEqual(self.deck.vm("tty")["state"], "running")
