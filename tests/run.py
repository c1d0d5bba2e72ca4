#!/usr/bin/env python3
"""Runs all tests of one build and says what passed: unit binaries (cmocka, TAP), then end-to-end tests
(tests/e2e/test_*.py) with processes and real VMs. At the end it proves that nothing of ours is left on the
machine: processes, sockets, mounts, network links, temporary files. Last line: N passed, N failed."""
import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
UNIT_LIMIT = 300  # s for one unit binary: only a hang reaches it
TAP = re.compile(r"^(ok|not ok) \d+(?: - (.*?))?(?:\s*# SKIP(.*))?$")


class Tally:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def add(self, word, name, why=""):
        if word == "ok":
            self.passed += 1
        elif word == "skip":
            self.skipped.append((name, why.strip() or "no reason given"))
        else:
            self.failed.append((name, why))
            print(f"  FAIL {name}: {why}".rstrip(": "), flush=True)


# ---- unit binaries ------------------------------------------------------------------------------

def read_tap(tally, binary, text):
    """Counts a binary's TAP lines; returns how many there were."""
    n = 0
    for line in text.splitlines():
        m = TAP.match(line.strip())
        if not m:
            continue
        n += 1
        word = "skip" if m.group(3) is not None else m.group(1)
        tally.add(word, f"{binary} {m.group(2) or ''}".strip(), m.group(3) or "")
    return n


def run_unit(tally, binary, keep_env):
    env = dict(keep_env, CMOCKA_MESSAGE_OUTPUT="TAP")
    start = time.monotonic()
    try:
        p = subprocess.run([str(binary)], capture_output=True, text=True, errors="replace", env=env,
                           timeout=UNIT_LIMIT, stdin=subprocess.DEVNULL)
        out, err, code = p.stdout, p.stderr, p.returncode
    except subprocess.TimeoutExpired as x:
        out, err, code = (x.stdout or b"").decode(errors="replace"), "timed out", 1
    failed_before = len(tally.failed)
    n = read_tap(tally, binary.name, out)
    if n == 0 or (code != 0 and len(tally.failed) == failed_before):
        tally.add("not ok", binary.name, f"exit {code}, {n} results")
    if len(tally.failed) > failed_before:
        print("\n".join("    " + x for x in (out + err).splitlines()[-60:]), flush=True)
    print(f"  {binary.name}: {n} in {time.monotonic() - start:.1f} s", flush=True)


# ---- end-to-end ---------------------------------------------------------------------------------

class E2EResult(unittest.TestResult):
    def __init__(self, tally):
        super().__init__()
        self.tally = tally

    def startTest(self, test):
        super().startTest(test)
        self.start = time.monotonic()

    def _line(self, test, word):
        print(f"  {word:4} {test.id()} ({time.monotonic() - self.start:.1f} s)", flush=True)

    def addSuccess(self, test):
        self.tally.add("ok", test.id())
        self._line(test, "ok")

    def addSkip(self, test, reason):
        self.tally.add("skip", test.id(), reason)
        self._line(test, "skip")

    def _bad(self, test, err):
        text = self._exc_info_to_string(err, test)
        self.tally.add("not ok", test.id(), text.strip().splitlines()[-1])
        print("\n".join("    " + x for x in text.splitlines()), flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._bad(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self._bad(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self._bad(subtest, err)


def build_image():
    """Unit tests with a VM take the image that the end-to-end tests make; they skip themselves without it."""
    from decklib import DeckError, build_shared_image
    try:
        build_shared_image()
    except DeckError as x:
        print(f"  {x}", flush=True)


def run_e2e(tally, pattern):
    suite = unittest.defaultTestLoader.discover(str(ROOT / "tests" / "e2e"), pattern=pattern)
    suite.run(E2EResult(tally))


# ---- what is left behind ------------------------------------------------------------------------

def processes(mark):
    """pid -> command line of every process that this run started, however deep: they inherit the mark."""
    found = {}
    for d in pathlib.Path("/proc").iterdir():
        if not d.name.isdigit() or int(d.name) == os.getpid():
            continue
        try:
            env = (d / "environ").read_bytes().split(b"\0")
            state = (d / "stat").read_text().rsplit(")", 1)[1].split()[0]
            command = (d / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if state != "Z" and f"DECK_RUN={mark}".encode() in env:
            found[int(d.name)] = command[:200]
    return found


def lines_of(path):
    try:
        return set(pathlib.Path(path).read_text().splitlines())
    except OSError:
        return set()


def leftovers(mark):
    """Everything on this machine that a test of ours may leave, as a set of sentences. Sockets in /run are those
    of the operator's own VMs, which come and go: tests have theirs below the temporary folder."""
    state = {f"process {pid}: {cmd}" for pid, cmd in processes(mark).items()}
    for folder in ("/tmp", "/run", "/dev/shm", "/var/tmp"):
        for p in pathlib.Path(folder).glob("*vmdeck*"):
            state.add(f"file {p}")
    state |= {f"mount {m}" for m in lines_of("/proc/mounts") if "vmdeck" in m}
    state |= {f"unix socket {m.split()[-1]}" for m in lines_of("/proc/net/unix") if "vmdeck" in m and "/run/" not in m}
    state |= {f"link {p.name}" for p in pathlib.Path("/sys/class/net").iterdir()}
    if os.path.isdir("/run/netns"):
        state |= {f"netns {n}" for n in os.listdir("/run/netns")}
    return state


def check_nothing_left(tally, before, tmp, mark):
    deadline = time.monotonic() + 10  # a process that was just killed may take a moment to be reaped
    while True:
        left = leftovers(mark) - before
        left |= {f"file {p}" for p in pathlib.Path(tmp).iterdir()}
        if not left or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    for sentence in sorted(left):
        tally.add("not ok", "nothing is left behind", sentence)
    if not left:
        tally.add("ok", "nothing is left behind")


def main():
    # A shell that starts this in the background has it ignored, and so would every program that is tested.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--build", default="build/dev", help="build folder to test")
    ap.add_argument("--only", choices=["unit", "e2e"], help="one kind only")
    ap.add_argument("--match", default="", help="only unit binaries / e2e files whose name holds this")
    ap.add_argument("--no-vm", action="store_true", help="only tests that need no VM")
    args = ap.parse_args()
    build = (ROOT / args.build).resolve()
    mark = os.urandom(8).hex()
    before, tally = leftovers(mark), Tally()
    with tempfile.TemporaryDirectory(prefix="deck-tests-") as tmp:
        os.environ.update(DECK_BUILD=str(build), DECK_NO_VM="1" if args.no_vm else "", DECK_RUN=mark,
                          TMPDIR=tmp)
        tempfile.tempdir = tmp
        if not args.no_vm:
            build_image()
        if args.only != "e2e":
            for binary in sorted((build / "tests").glob("test_*")):
                if os.access(binary, os.X_OK) and binary.is_file() and args.match in binary.name:
                    run_unit(tally, binary, os.environ)
        if args.only != "unit":
            run_e2e(tally, f"test_*{args.match}*.py" if args.match else "test_*.py")
        check_nothing_left(tally, before, tmp, mark)
    for name, why in tally.skipped:
        print(f"skipped: {name}: {why}")
    for name, why in tally.failed:
        print(f"failed: {name}: {why}")
    tail = f", {len(tally.skipped)} skipped" if tally.skipped else ""
    print(f"{tally.passed} passed, {len(tally.failed)} failed{tail}")
    return 1 if tally.failed else 0


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
sys.exit(main())
