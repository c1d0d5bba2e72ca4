"""What the end-to-end tests share: a deck is a home of its own with a daemon of its own, driven through
the real programs; nothing of it survives close(). Waits are for events, each with a deadline."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("DECK_BUILD", ROOT / "build" / "dev"))
NO_VM = bool(os.environ.get("DECK_NO_VM"))
LIMIT = int(os.environ.get("DECK_LIMIT", "120"))  # s: only a hang reaches it; machines are shared
IMAGE_HOME = ROOT / "build" / "test-home"

needs_vm = unittest.skipIf(NO_VM, "this run is without VMs")


class DeckError(AssertionError):
    pass


def wait_for(what, fn, limit=LIMIT):
    """For states that no event tells (a process of another program is gone): fn until it is true."""
    deadline = time.monotonic() + limit
    while True:
        value = fn()
        if value:
            return value
        if time.monotonic() > deadline:
            raise DeckError(f"{what}: not within {limit} s")
        time.sleep(0.01)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def processes_with(text):
    """Pids of living processes whose command line or environment names text (a home folder)."""
    found = []
    for d in pathlib.Path("/proc").iterdir():
        if not d.name.isdigit() or int(d.name) == os.getpid():
            continue
        try:
            data = (d / "cmdline").read_bytes() + b"\0" + (d / "environ").read_bytes()
        except OSError:
            continue
        if text.encode() in data and alive(int(d.name)):
            found.append(int(d.name))
    return found


def running_program(program, home):
    """Pids of living processes of exactly this program file whose environment names the home."""
    def program_of(pid):
        try:
            return os.readlink(f"/proc/{pid}/exe")
        except OSError:
            return ""
    return [pid for pid in processes_with(str(home)) if program_of(pid) == str(program)]


def fd_count(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


NUMBERED = "i=0; while :; do echo line-$i; i=$((i+1)); sleep 0.02; done"  # a main process that writes all the time


def line_numbers(data, prefix=b"line-", cut=False):
    """(first, last) of an output of lines PREFIX + N that misses and repeats none. What a snapshot cut through
    may begin within a line (cut: it surely does); the last line may not be whole yet. (-1, -1): no whole line."""
    lines = data.split(b"\n")[:-1]
    if lines and (cut or not lines[0].startswith(prefix)):
        lines = lines[1:]
    if not lines:
        return -1, -1
    first = int(lines[0][len(prefix):])
    for n, line in enumerate(lines, first):
        if line != prefix + b"%d" % n:
            raise DeckError(f"{line!r} where {n} was due")
    return first, first + len(lines) - 1


class Rpc:
    """A client of the daemon's socket that speaks the protocol by hand."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT)
        self.sock.connect(str(path))
        self.data, self.n, self.events, self.answers = b"", 0, [], {}

    def send_raw(self, data):
        self.sock.sendall(data)

    def read_line(self):
        while b"\n" not in self.data:
            more = self.sock.recv(65536)
            if not more:
                raise EOFError("the daemon closed the connection")
            self.data += more
        line, self.data = self.data.split(b"\n", 1)
        return json.loads(line)

    def send(self, method, **params):
        """Sends a call without waiting; its id."""
        self.n += 1
        request = {"jsonrpc": "2.0", "id": self.n, "method": method, "params": params}
        self.send_raw(json.dumps(request).encode() + b"\n")
        return self.n

    def answer_raw(self, n):
        while n not in self.answers:
            answer = self.read_line()
            if answer.get("method") == "event":
                self.events.append(answer["params"])
            else:
                self.answers[answer.get("id")] = answer
        return self.answers.pop(n)

    def answer(self, n):
        """(result, "") or (None, sentence) of a call that was sent."""
        answer = self.answer_raw(n)
        return answer.get("result"), answer["error"]["message"] if "error" in answer else ""

    def call_raw(self, method, **params):
        return self.answer_raw(self.send(method, **params))

    def call(self, method, **params):
        answer = self.call_raw(method, **params)
        if "error" in answer:
            raise DeckError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def next_event(self):
        """The oldest event not looked at yet."""
        while not self.events:
            answer = self.read_line()
            if answer.get("method") == "event":
                self.events.append(answer["params"])
            else:
                self.answers[answer.get("id")] = answer
        return self.events.pop(0)

    def wait_event(self, name, vm=None, **fields):
        """The next event of that name (and VM name or id, and fields), from those not looked at yet."""
        while True:
            ev = self.next_event()
            if ev["name"] == name and vm in (None, ev["vm"], ev["vm_name"]) and \
                    all(ev["fields"].get(k) == v for k, v in fields.items()):
                return ev

    def close(self):
        self.sock.close()


HEADER = struct.Struct("<BBHI")


class Frames:
    """agent/wire.h frames on an upgraded connection."""
    STDIN, STDIN_EOF, STDOUT, STDERR, EXIT, REFUSED = 0x46, 0x47, 0x48, 0x49, 0x4c, 0x42
    OUT_DATA, OUT_INPUT = 0x22, 0x24

    def __init__(self, rpc):
        self.sock, self.data = rpc.sock, rpc.data

    def send(self, kind, payload=b""):
        self.sock.sendall(HEADER.pack(kind, 0, 0, len(payload)) + payload)

    def _need(self, n):
        while len(self.data) < n:
            more = self.sock.recv(262144)
            if not more:
                return False
            self.data += more
        return True

    def next(self):
        """(type, payload), or None at the end."""
        if not self._need(HEADER.size):
            return None
        kind, _, _, n = HEADER.unpack(self.data[:HEADER.size])
        if not self._need(HEADER.size + n):
            return None
        payload = self.data[HEADER.size:HEADER.size + n]
        self.data = self.data[HEADER.size + n:]
        return kind, payload


def build_shared_image():
    """The real image mini, built once per build folder and linked into each deck's home."""
    env = dict(os.environ, VMDECK_HOME=str(IMAGE_HOME), VMDECK_RUNTIME=tempfile.mkdtemp(prefix="img-"))
    p = subprocess.run([BUILD / "vmdeckd", "--worker", "image-build", "mini"], env=env, timeout=1200,
                       capture_output=True, text=True, stdin=subprocess.DEVNULL)
    shutil.rmtree(env["VMDECK_RUNTIME"], ignore_errors=True)
    if p.returncode != 0:
        raise DeckError(f"image mini could not be built: {p.stdout[-800:]} {p.stderr[-800:]}")


def link_tree(src, dst):
    def link(a, b):
        try:
            os.link(a, b)
        except OSError:
            shutil.copy2(a, b)
    shutil.copytree(src, dst, copy_function=link)


def fake_image(home):
    """An image that only the driver for tests can boot: it looks at neither kernel nor initramfs."""
    folder = home / "images" / "mini"
    folder.mkdir(parents=True, mode=0o700)
    files = {"vmlinux": b"no kernel", "initrd.cpio": b"no initramfs"}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "manifest.json").write_text(json.dumps({
        "format": 1, "name": "mini", "kernel_version": "none", "agent_sha256": "0" * 64, "config": "0" * 64,
        "build_id": "0" * 64, "created_ns": 1, "files": {k: len(v) for k, v in files.items()}}))


class Deck:
    """One home, one daemon. process: VMs are the agent as an ordinary process (tests/support/vmm_process.c)."""
    image_ready = False
    prefix, program = [], str(BUILD / "vmdeck")

    def __init__(self, image=True, env=None, process=False):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="deck-"))
        self.home, self.runtime = self.dir / "home", self.dir / "r"
        self.home.mkdir(mode=0o700)
        self.env = dict(os.environ, VMDECK_HOME=str(self.home), VMDECK_RUNTIME=str(self.runtime),
                        XDG_STATE_HOME=str(self.dir / "state"),
                        VMDECK_IDLE_EXIT="0", TERM="xterm-256color")
        for name in ("NO_COLOR", "COLORTERM", "VMDECK_THEME", "LISTEN_FDS"):
            self.env.pop(name, None)
        self.process = process
        if process:
            self.env["VMDECK_LIBEXEC"] = str(BUILD / "testbin")
            fake_image(self.home)
        self.env.update(env or {})
        if image and not process:
            self.link_image()

    def link_image(self, kernels=True):
        if not Deck.image_ready:
            build_shared_image()
            Deck.image_ready = True
        link_tree(IMAGE_HOME / "images", self.home / "images")
        if kernels:  # only a rebuild wants them
            link_tree(IMAGE_HOME / "kernels", self.home / "kernels")

    # -- programs

    def popen(self, *args, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("stdout", subprocess.PIPE)
        kw.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen([*self.prefix, self.program, *map(str, args)], env=self.env, **kw)

    def run(self, *args, input=None, code=0, limit=LIMIT):
        """Runs `vmdeck ARGS`; asserts its exit code (None: any); returns (stdout, stderr) as bytes."""
        p = self.popen(*args, stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL)
        try:
            out, err = p.communicate(input, timeout=limit)
        except subprocess.TimeoutExpired:
            p.kill()
            p.communicate()
            raise DeckError(f"vmdeck {' '.join(map(str, args))}: not done within {limit} s")
        if code is not None and p.returncode != code:
            raise DeckError(f"vmdeck {' '.join(map(str, args))}: exit {p.returncode}, not {code}: "
                            f"{out[-400:]!r} {err[-800:]!r} {self.log_tail()}")
        return out, err

    def text(self, *args, **kw):
        return self.run(*args, **kw)[0].decode()

    def error(self, *args, code=1, **kw):
        """One clear sentence on stderr: returns it."""
        out, err = self.run(*args, code=code, **kw)
        lines = err.decode(errors="replace").strip().splitlines()
        if len(lines) != 1 or not lines[0].startswith("vmdeck: "):
            raise DeckError(f"vmdeck {' '.join(map(str, args))}: not one sentence: {lines} {out[-200:]!r}")
        return lines[0]

    def json(self, *args, **kw):
        return json.loads(self.run(*args, "--json", **kw)[0])

    def boot(self, name, *args, **kw):
        self.run("boot", "--name", name, *args, **kw)
        return self.vm(name)

    def vm(self, name):
        for vm in self.json("ls"):
            if name in (vm["name"], vm["id"]):
                return vm
        return None

    def sh(self, vm, script, **kw):
        """stdout of a shell script in the guest."""
        return self.run("exec", vm, "--", "sh", "-c", script, **kw)[0].decode()

    def snapshot(self, name):
        for s in self.json("snapshots"):
            if s["name"] == name:
                return s
        return None

    def restore(self, snapshot, name):
        self.run("restore", snapshot, "--name", name)
        return self.vm(name)

    def events(self, vm, since=0):
        return [e for e in self.json("events", "--vm", vm, "--limit", "10000") if e["seq"] > since]

    def vmms(self):
        """Pids of the VMMs of this home."""
        def is_vmm(pid):
            try:
                return b"qemu-system" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
            except OSError:
                return False
        return [p for p in processes_with(str(self.home)) if is_vmm(p)]

    def stored(self):
        """Names of everything that VMs and snapshots keep on disk and in the runtime folder, a set."""
        return {str(p) for top in (self.home / "vms", self.home / "snapshots", self.home / "trash", self.runtime / "vms")
                for p in top.glob("*")}

    def log_tail(self):
        try:
            return (self.home / "daemon.log").read_text(errors="replace")[-1500:]
        except OSError:
            return ""

    # -- the daemon

    def rpc(self, subscribe=False):
        if not (self.runtime / "daemon.sock").exists():
            self.run("ls")
        r = Rpc(self.runtime / "daemon.sock")
        r.call("hello", protocol=1)
        if subscribe:
            r.call("event.subscribe")
        return r

    def daemon_pid(self):
        r = self.rpc()
        try:
            return r.call("hello", protocol=1)["pid"]
        finally:
            r.close()

    def kill_daemon(self):
        pid = self.daemon_pid()
        os.kill(pid, signal.SIGKILL)
        wait_for("killed daemon is gone", lambda: not alive(pid))
        return pid

    def end_processes(self):
        if (self.runtime / "daemon.sock").exists():
            for vm in self.json("ls"):
                self.run("rm", "-f", vm["id"], code=None)
            self.run("daemon", "stop", code=None)
        wait_for(f"all processes of {self.home} end", lambda: not processes_with(str(self.home)), 20)

    def check_sanitizers(self):
        """Sanitizers of a daemon write into its log, where nobody would look."""
        for log in self.home.glob("daemon.log*"):
            text = log.read_text(errors="replace")
            bad = re.search(r"ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:", text)
            if bad:
                raise DeckError(f"{log.name}: {text[bad.start():][:3000]}")

    def close(self):
        """Ends all that runs and asserts that nothing of this home is left."""
        try:
            self.end_processes()
            left = sorted(p.name for p in (self.runtime / "vms").glob("*")) if self.runtime.exists() else []
            left += sorted(p.name for p in (self.home / "vms").glob("*"))
            if left:
                raise DeckError(f"left behind: {left}")
            self.check_sanitizers()
        finally:
            for pid in processes_with(str(self.home)):
                os.kill(pid, signal.SIGKILL)
            shutil.rmtree(self.dir, ignore_errors=True)


class DeckCase(unittest.TestCase):
    """A class of tests that share one deck (and its boots). process: see Deck."""
    image, process = True, False

    @classmethod
    def setUpClass(cls):
        if NO_VM and cls.image and not cls.process:
            raise unittest.SkipTest("this run is without VMs")
        cls.deck = Deck(image=cls.image, process=cls.process)
        cls.addClassCleanup(cls.deck.close)

    def guest_path(self, name):
        """A path that commands in the guest can write; a process shares the host's files."""
        return f"{self.deck.dir}/{name}" if self.process else f"/run/{name}"

    def output_fifo(self, vm):
        return f"{self.deck.runtime}/vms/{self.deck.vm(vm)['id']}/output.fifo" if self.process else "/run/vmdeck/output"

    def running_in(self, name, pattern):
        """Whether a process whose command line matches runs in the VM."""
        return re.search(pattern, self.deck.sh(name, "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")) is not None
