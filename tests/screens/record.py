#!/usr/bin/env python3
"""make recording: real VMs do what the screens show, and `vmdeck record` keeps it: tests/screens/session.rec.xz.
Marks name the moments that the scripts go to. Folders and the host's name are made those of an ordinary install."""
import argparse
import lzma
import os
import pathlib
import re
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
ap = argparse.ArgumentParser(description=__doc__)
ap.add_argument("--build", default="build/dev")
ap.add_argument("--out", default="tests/screens/session.rec.xz")
args = ap.parse_args()
os.environ["DECK_BUILD"] = str((ROOT / args.build).resolve())

from decklib import Deck, wait_for  # noqa: E402

WEB = "httpd -p 8080; exec top -d 1"
BUSY = "setsid sha256sum /dev/zero </dev/null >/dev/null 2>&1 &"
EDIT = "mkdir -p /tmp; seq 200 | sed 's/$/ is a line of the list/' >/tmp/list; exec vi /tmp/list"
WORKER = "i=0; while :; do i=$((i+1)); echo \"job $i: done, queue $((i*7%5))\"; sleep 0.5; done"
LIMIT = 150 * 1024


class Session:
    def __init__(self, deck, path):
        self.deck, self.path = deck, path
        self.p = deck.popen("record", "-q", path, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_for("the recording begins", lambda: path.exists() and b'"answer":"event.list"' in path.read_bytes())

    def mark(self, text):
        """Returns when it is in the file: what comes next is behind it."""
        self.p.stdin.write(text.encode() + b"\n")
        self.p.stdin.flush()
        wait_for(f"mark {text}", lambda: b'"mark":"%s"' % text.encode() in self.path.read_bytes())

    def shows(self, text):
        wait_for(text, lambda: text.encode() in self.path.read_bytes())

    def end(self):
        self.p.send_signal(signal.SIGINT)
        _, err = self.p.communicate(timeout=30)
        if self.p.returncode:
            raise SystemExit(f"vmdeck record: {err.decode()}")


def fail_restore(deck):
    """A restore whose VMM dies under it."""
    before = set(deck.vmms())
    rpc = deck.rpc(subscribe=True)
    p = deck.popen("restore", "warm", "--name", "unlucky")
    rpc.wait_event("vm.create")
    new = wait_for("a VMM for the restore", lambda: set(deck.vmms()) - before)
    for pid in new:
        os.kill(pid, signal.SIGKILL)
    p.communicate(timeout=120)
    rpc.close()
    return p.returncode


def act(deck, s):
    deck.run("boot", "--name", "web", "-t", "--", "sh", "-c", WEB)
    s.shows("Load average")
    deck.run("exec", "web", "--", "sh", "-c", BUSY)
    s.shows("sha256sum")
    deck.run("boot", "--name", "worker", "--", "sh", "-c", WORKER)
    deck.run("boot", "--name", "db", "-t", "--", "sh", "-c", EDIT)
    s.shows("20 is a line of the list")
    deck.run("pause", "db")
    s.mark("vms")
    api = deck.popen("boot", "--name", "api")
    s.shows('"vm_name":"api","name":"flow.step"')
    s.shows('"data":"serial","vm":"%s"' % deck.vm("api")["id"])
    s.mark("boot")
    api.communicate()
    snapshot = deck.popen("snapshot", "worker", "warm")
    s.shows('"name":"snapshot.progress"')
    s.mark("snapshot")
    snapshot.communicate()
    deck.run("clone", "warm", "-n", "3", "--name", "job")
    deck.run("snapshot", "job-1", "warm-later")
    s.mark("clones")
    if fail_restore(deck) == 0:
        raise SystemExit("the restore that should fail did not")
    s.mark("failed")
    build = deck.popen("image", "build", "--force", "mini")
    s.shows('"name":"asset.build.step"')
    s.mark("build")
    build.communicate()
    s.mark("end")


def clean(deck, text):
    for old, new in ((str(deck.home), "/var/lib/vmdeck"), (str(deck.runtime), "/run/vmdeck"),
                     (os.environ["DECK_BUILD"], "/usr/local/lib/vmdeck")):
        text = text.replace(old.replace("/", "\\/"), new.replace("/", "\\/")).replace(old, new)
    return re.sub(r'"host":"[^"]*"', '"host":"host"', text, count=1)


def main():
    deck = Deck()
    try:
        path = deck.dir / "session.rec"
        s = Session(deck, path)
        act(deck, s)
        s.end()
        data = lzma.compress(clean(deck, path.read_text()).encode(), preset=9 | lzma.PRESET_EXTREME)
        if len(data) > LIMIT:
            raise SystemExit(f"the recording has {len(data)} bytes, more than {LIMIT}")
        (ROOT / args.out).write_bytes(data)
        print(f"{args.out}: {len(data) // 1024} KiB")
        for vm in deck.json("ls"):
            deck.run("rm", "-f", vm["id"], code=None)
        for snap in deck.json("snapshots"):
            deck.run("rm", "--snapshot", snap["name"], code=None)
    finally:
        deck.close()


main()
