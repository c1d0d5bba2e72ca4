"""Recording and replay: what was on the screen is on the screen again, at any time of it; and the screens of a
recorded session of real VMs, compared with what they should be (tests/screens)."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

from decklib import BUILD, LIMIT, ROOT, DeckCase, Rpc, alive, processes_with, wait_for
from tmuxlib import Terminal

sys.path.insert(0, str(ROOT / "tests" / "screens"))
import screens  # noqa: E402

POSITION = re.compile(r"REPLAY (\d+):(\d+\.\d)/(\d+):(\d+\.\d)( x[\d.]+)?( paused| end)?")
LINES = "for i in 1 2 3 4 5; do echo line-$i; done; sleep 1000"


def seconds(screen):
    m = POSITION.search(screen)
    return int(m.group(1)) * 60 + float(m.group(2)) if m else -1


def rows(screen):
    """The rows of the list, without the mark of the selection."""
    return [line[1:40].rstrip() for line in screen.split("\n") if re.match(r".(one|two) ", line)]


class Recorded(unittest.TestCase):
    """Screens of the committed recording; no VM and no daemon are needed."""

    def test_screens(self):
        with tempfile.TemporaryDirectory(prefix="screens-") as folder:
            recording = screens.Recording(folder)
            for name in screens.names():
                with self.subTest(name):
                    wrong = screens.check(BUILD, name, recording, folder)
                    self.assertEqual(wrong, "", f"{name}: `make screens-update` takes it over\n{wrong}")
            # Nothing of the replays is left.
            self.assertEqual(list(pathlib.Path(folder).glob("vmdeck-replay-*")), [])


class Sessions(DeckCase):
    """What the tests with and without VMs share."""
    image = False

    def setUp(self):
        self.file = self.deck.dir / f"{self.id().rsplit('.', 1)[1]}.rec"

    def tearDown(self):
        for vm in self.deck.json("ls"):
            self.deck.run("rm", "-f", vm["name"], code=None)

    def shows(self, text, limit=LIMIT):
        wait_for(text, lambda: self.file.exists() and text.encode() in self.file.read_bytes(), limit)

    def record(self, *args):
        p = self.deck.popen("record", *args, self.file, stdin=subprocess.PIPE)
        self.addCleanup(lambda: p.poll() is None and (p.kill(), p.wait()))
        self.shows('"answer":"event.list"')
        return p

    def mark(self, p, text):
        p.stdin.write(text.encode() + b"\n")
        p.stdin.flush()
        self.shows(f'"mark":"{text}"')

    def end(self, p):
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=LIMIT)
        self.assertEqual(p.returncode, 0, err)

    def replay(self, *args, **kw):
        t = Terminal([BUILD / "vmdeck", "replay", *args, self.file], self.deck.env, **kw)
        self.addCleanup(t.close)
        return t

    def session(self):
        """Two VMs; the first is paused behind the mark `both`."""
        p = self.record()
        self.deck.boot("one", "--", "sh", "-c", LINES)
        self.shows("line-5")
        self.mark(p, "first")
        self.deck.boot("two", "--", "sh", "-c", "echo other; sleep 1000")
        self.shows("other")
        self.mark(p, "both")
        self.deck.run("pause", "one")
        self.shows('"to":"paused"')
        live = Terminal([BUILD / "vmdeck"], self.deck.env)
        self.addCleanup(live.close)
        screen = live.wait(lambda s: "line-5" in s and "paused" in s)
        self.mark(p, "end")
        self.end(p)
        return screen


class Real(Sessions):
    """With a real VM."""
    image = True

    def test_boot_exec_and_replay(self):
        p = self.record()
        self.deck.boot("one", "--", "sh", "-c", LINES)
        self.shows("line-5")
        self.assertEqual(self.deck.sh("one", "echo done"), "done\n")
        live = Terminal([BUILD / "vmdeck"], self.deck.env)
        self.addCleanup(live.close)
        screen = live.wait(lambda s: "line-5" in s and len(rows(s)) == 1)
        self.end(p)
        t = self.replay("--paused", "--from", "1000")
        again = t.wait(lambda s: "line-5" in s and len(rows(s)) == 1)
        self.assertEqual(rows(again), rows(screen))
        self.assertRegex(self.file.read_text(), '"name":"exec.exit"|"name":"exec')


class Replay(Sessions):
    """VMs as ordinary processes."""
    process = True

    def test_same_screen_and_jumps(self):
        live = self.session()
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        t = self.replay("--paused", "--from", "1000")
        screen = t.wait(lambda s: "line-5" in s and len(rows(s)) == 2)
        self.assertEqual(rows(screen), rows(live))
        self.assertIn("end", POSITION.search(screen).group(6))
        # Back to the marks, and to the start.
        t.keys("{", "{")  # the mark "end" comes first
        t.wait(lambda s: len(rows(s)) == 2 and "‖" not in s)
        t.keys("{")
        t.wait(lambda s: len(rows(s)) == 1 and "line-5" in s and "paused" in s)
        t.keys("{")
        t.wait(lambda s: seconds(s) == 0 and "No VM" in s)
        t.keys("}")
        t.wait(lambda s: len(rows(s)) == 1)
        # On at four times the speed, up to its end.
        t.keys("+")
        t.wait(" x2 paused")
        t.keys("+")
        t.wait(" x4 paused")
        t.keys("Space")
        screen = t.wait(lambda s: len(rows(s)) == 2 and " end" in s and "line-5" in s)
        self.assertEqual(rows(screen), rows(live))
        t.keys(":")
        t.type("replay-seek 0.0")
        t.keys("Enter")
        t.wait(lambda s: seconds(s) == 0)
        # Nothing can be changed.
        t.keys("}")
        t.wait(lambda s: len(rows(s)) == 1)
        t.keys("p")
        t.wait("this is a recording: vm.pause does nothing here")
        t.keys("Q")
        t.wait_exit(0)

    def test_pause_stops_the_clock(self):
        p = self.record()
        self.deck.boot("one", "--", "sh", "-c", LINES)
        self.mark(p, "m")
        self.end(p)
        t = self.replay("--speed", "0.25")
        t.wait(lambda s: "line-5" in s or seconds(s) > 0)
        t.keys("Space")
        at = seconds(t.wait(lambda s: " paused" in s or " end" in s))
        t.keys("C-l")
        self.assertEqual(seconds(t.wait("REPLAY")), at)
        t.keys("Q")
        t.wait_exit(0)

    def test_killed_recorder(self):
        p = self.record()
        self.deck.boot("one", "--", "sh", "-c", LINES)
        self.shows("line-5")
        p.kill()
        p.wait()
        with open(self.file, "ab") as f:  # as if it had been killed within a line
            f.write(b'{"ms":99999,"event":{"na')
        t = self.replay("--paused", "--from", "1000")
        t.wait(lambda s: len(rows(s)) == 1 and "line-5" in s)
        # A console that is killed takes its helper along.
        helpers = [n for n in processes_with("vmdeck-replay-") if "vmdeck-replay" in os.readlink(f"/proc/{n}/exe")]
        self.assertTrue(helpers)
        console = int(subprocess.run(["pgrep", "-P", str(t.pane_pid())], capture_output=True, text=True).stdout.split()[0])
        os.kill(console, signal.SIGKILL)
        wait_for("the helper ends", lambda: not any(map(alive, helpers)))

    def test_record_in_the_console(self):
        self.deck.boot("one", "--", "sh", "-c", LINES)
        t = Terminal([BUILD / "vmdeck"], self.deck.env)
        self.addCleanup(t.close)
        t.wait("line-5")
        t.keys(":")
        t.type(f"record {self.file}")
        t.keys("Enter")
        t.wait(" REC ")
        self.shows("line-5")
        t.keys(":")
        t.type("record-mark here")
        t.keys("Enter")
        t.wait("marked")
        t.keys(":")
        t.type("record")
        t.keys("Enter")
        t.wait("shows it")
        t.keys("Q")
        t.wait_exit(0)
        t = self.replay("--paused", "--from", "1000")
        t.wait(lambda s: len(rows(s)) == 1 and "line-5" in s)
        # A file that is there is not written over.
        self.assertIn("choose another name", self.deck.error("record", self.file))

    def test_asciicast(self):
        self.session()
        cast = self.deck.dir / "a.cast"
        self.deck.run("replay", self.file, "--speed", "8", "--asciicast", cast, "--size", "90x25")
        head, *lines = [json.loads(line) for line in cast.read_text().splitlines()]
        self.assertEqual((head["version"], head["width"], head["height"]), (2, 90, 25))
        times = [t for t, _, _ in lines]
        self.assertEqual(times, sorted(times))
        self.assertEqual([text for _, kind, text in lines if kind == "m"], ["first", "both", "end"])
        shown = "".join(text for _, kind, text in lines if kind == "o")
        self.assertIn("line-5", shown)
        self.assertIn("REPLAY", shown)

    def test_bad_files(self):
        bad = self.deck.dir / "bad.rec"
        cast = self.deck.dir / "bad.cast"
        bad.write_text("what is this\n")
        self.assertIn("is no recording of vmdeck", self.deck.error("replay", bad, "--asciicast", cast))
        bad.write_text('{"vmdeck_recording":1}\n{"ms":-4,"mark":"x"}\n')
        self.assertIn("line 2", self.deck.error("replay", bad, "--asciicast", cast))
        self.assertIn("cannot", self.deck.error("replay", self.deck.dir / "none", "--asciicast", cast))


class Helper(unittest.TestCase):
    """vmdeck-replay by itself, with a recording that nobody would make."""
    LINES = [
        {"vmdeck_recording": 1, "version": "x" * 300, "host": 7, "wall_ns": -5},
        {"ms": 0, "answer": "vm.list", "asked": 0, "result": [{"id": "a", "name": "one"}, {"id": 7}, None, "b"]},
        {"ms": 0, "answer": "image.list", "result": {"no": "list"}},
        {"ms": 0, "answer": "event.list", "asked": 99, "result": [{"seq": -3}, None, {"seq": 1, "name": "n"}]},
        {"ms": 1, "answer": "vm.get", "of": "b", "asked": -4, "result": ["no VM"]},
        {"ms": 2, "event": {"name": "vm.state", "vm": "a", "seq": 9, "fields": "none"}},
        {"ms": 3, "event": {"name": "vm.state", "vm": "b", "seq": 4}},
        {"ms": 3, "data": "output", "vm": "a", "at": 10, "bytes": "abc\u00ff"},
        {"ms": 4, "data": "output", "vm": "a", "at": 2, "bytes": "earlier"},
        {"ms": 5, "end": "output", "vm": "a"},
        {"ms": 6, "mark": 7},
        {"ms": 7, "answer": "timing.get", "of": "a", "result": {"kind": "restore", "id": "a"}},
        {"ms": 8, "event": {"name": "vm.remove", "vm": "a", "seq": 10}},
    ]

    def test_hostile_recording(self):
        with tempfile.TemporaryDirectory(prefix="replay-") as folder:
            work = pathlib.Path(folder) / "work"
            work.mkdir()
            path, sock = pathlib.Path(folder) / "f", work / "daemon.sock"
            path.write_text("".join(json.dumps(line) + "\n" for line in self.LINES))
            ready, life = os.pipe(), os.pipe()
            script = f'exec "$0" "$@" 3>&{ready[1]} 4<&{life[0]} {life[1]}>&-'
            p = subprocess.Popen(["bash", "-c", script, str(BUILD / "vmdeck-replay"), path, sock, "0", "1000", "1"],
                                 pass_fds=(ready[1], *life), stderr=subprocess.PIPE, text=True)
            os.close(ready[1])
            os.close(life[0])
            try:
                self.assertEqual(os.read(ready[0], 100), b"ready\n")
                self.talk(sock)
            finally:
                os.close(life[1])
                _, err = p.communicate(timeout=LIMIT)
                os.close(ready[0])
            self.assertEqual((p.returncode, err), (0, ""))
            self.assertFalse(work.exists())

    def talk(self, sock):
        rpc = Rpc(sock)
        rpc.call("hello", protocol=1)
        rpc.call("event.subscribe")
        for at in (0, 3, 1, 1000, 5, 0):
            state = rpc.call("replay.control", action="seek", at_ms=at)
            self.assertEqual(state["position_us"], min(at, 8) * 1000)
            for method in ("vm.list", "image.list", "snapshot.list", "timing.list", "event.list"):
                self.assertIsInstance(rpc.call(method), list)
            for method, params in (("vm.get", {"vm": "a"}), ("timing.get", {"id": "a"}), ("vm.kill", {"vm": "a"})):
                rpc.answer(rpc.send(method, **params))
            stream = Rpc(sock)
            stream.answer(stream.send("vm.logs", vm="a"))
            stream.close()
        numbers = []
        rpc.call("replay.control", action="speed", speed=16000)
        rpc.call("replay.control", action="play")
        while len(numbers) < 3:
            numbers.append(rpc.next_event()["seq"])
        self.assertEqual(numbers, sorted(set(numbers)))  # they never fall, whatever the recording says
        self.assertIn("does nothing here", rpc.answer(rpc.send("vm.boot"))[1])
        rpc.close()
