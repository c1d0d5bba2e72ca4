"""What the console costs: idle, and with 100 VMs whose figures change every second. The daemon is a stand-in
that speaks its protocol and pushes what it is told, so that nothing but the console is measured."""
import fcntl
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time

from decklib import BUILD, LIMIT
from measure import check, row

VMS, SECONDS = 100, 10
NOW = 1_700_000_000_000_000_000


def vm(i, state="running"):
    return {"id": f"{i:08x}", "name": f"vm-{i}", "state": state, "reason": "", "image": "mini", "vmm": "qemu",
            "accel": "tcg", "vcpus": 1, "mem_mib": 256, "created_ns": NOW + i, "state_since_ns": NOW + i, "tty": True,
            "agent": {"connected": True, "since_ns": NOW}, "output": {"first": 0, "end": 0}, "health": "healthy",
            "snapshot": "", "step": None, "exit": None, "vitals": None}


def host(n, count):
    vms = [{"id": f"{i:08x}", "cpu": (i * 7 + n * 13) % 1000 / 10, "rss": 90 << 20, "pss": 32 << 20, "out_end": n * i,
            "execs": 0, "mem_total": 256 << 20, "mem_available": (100 + (i + n) % 100) << 20, "load_milli": n * 10 % 900,
            "procs": 9 + n % 5, "oom_kills": 0} for i in range(count)]
    return {"at_ns": NOW + n * 10**9, "interval_ms": 1000, "cpus": [n % 100] * 4, "cpu": n % 100,
            "mem": {"total": 1 << 34, "available": 1 << 33}, "load": [1.0, 0.5, 0.2],
            "disk": {"total": 1 << 40, "free": 1 << 39}, "queues": [], "vms": vms,
            "daemon": {"pid": 1, "version": "0.1.0", "started_ns": NOW, "rss": 1 << 23, "connections": 1, "seq": n,
                       "cpu": 0.1}}


class Stand:
    """A daemon for one console; figures go out once a second to who asked for them."""

    def __init__(self, folder, count, state="running"):
        self.count, self.state = count, state
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(str(folder / "daemon.sock"))
        self.sock.listen(8)
        self.stopped, self.watchers, self.lock = threading.Event(), set(), threading.Lock()
        for fn in (self.accept, self.push):
            threading.Thread(target=fn, daemon=True).start()

    def accept(self):
        while not self.stopped.is_set():
            try:
                conn = self.sock.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def answer(self, conn, call):
        method, params = call["method"], call.get("params", {})
        if method == "host.watch":
            with self.lock:
                (self.watchers.add if params["interval_ms"] else self.watchers.discard)(conn)
        if method in ("vm.logs", "vm.attach"):
            return None  # a stream that never says a word
        return {"hello": {"version": "0.1.0", "protocol": 1, "pid": os.getpid(), "home": "/", "seq": 0},
                "vm.list": [vm(i, self.state) for i in range(self.count)],
                "vm.get": vm(0, self.state), "timing.get": {}, "event.subscribe": {"seq": 0, "first": 1},
                "host.watch": {"interval_ms": 1000}}.get(method, [])

    def serve(self, conn):
        with conn, conn.makefile("rb") as lines:
            for line in lines:
                call = json.loads(line)
                result = self.answer(conn, call)
                if result is not None:
                    with self.lock:
                        conn.sendall(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": result}).encode() + b"\n")

    def push(self):
        n = 0
        while not self.stopped.wait(1):
            n += 1
            line = json.dumps({"jsonrpc": "2.0", "method": "host.stats", "params": host(n, self.count)}).encode() + b"\n"
            with self.lock:
                for conn in list(self.watchers):
                    try:
                        conn.sendall(line)
                    except OSError:
                        self.watchers.discard(conn)

    def close(self):
        self.stopped.set()
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


class Screen:
    """A console on a pty of this size; counts what it writes."""

    def __init__(self, folder, rows, cols):
        env = dict(os.environ, VMDECK_HOME=str(folder), VMDECK_RUNTIME=str(folder), XDG_STATE_HOME=str(folder), TERM="xterm-256color",
                   LC_ALL="C.UTF-8")
        self.fd, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        self.p = subprocess.Popen([BUILD / "vmdeck"], env=env, stdin=child, stdout=child, stderr=child,
                                  start_new_session=True)
        os.close(child)

    def read(self, seconds):
        """Bytes that come in so many seconds."""
        n, end = b"", time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                n += os.read(self.fd, 65536)
        return n

    def until(self, text):
        seen, end = b"", time.monotonic() + LIMIT
        while text not in seen:
            if time.monotonic() > end:
                raise AssertionError(f"the console never showed {text!r}")
            seen += self.read(0.1)

    def cost(self):
        """CPU seconds, wakeups."""
        status = pathlib.Path(f"/proc/{self.p.pid}/status").read_text()
        return (int(pathlib.Path(f"/proc/{self.p.pid}/schedstat").read_text().split()[0]) / 1e9,
                int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0]))

    def measure(self, seconds):
        cpu, wakeups = self.cost()
        n = len(self.read(seconds))
        after = self.cost()
        return after[0] - cpu, after[1] - wakeups, n

    def close(self):
        self.p.send_signal(signal.SIGKILL)
        self.p.wait()
        os.close(self.fd)


def measured(count, state, rows, cols, keys, shows, seconds):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="con-"))
    stand, screen = Stand(folder, count, state), None
    try:
        screen = Screen(folder, rows, cols)
        screen.until(b"vm-0")
        os.write(screen.fd, keys)
        screen.until(shows)
        screen.read(2.5)
        return screen.measure(seconds)
    finally:
        if screen:
            screen.close()
        stand.close()
        shutil.rmtree(folder, ignore_errors=True)


def bench_console():
    cpu, wakeups, n = measured(VMS, "running", 24, 80, b"j", b"vm-1", SECONDS)
    check(f"console, {VMS} VMs, nothing changes, {SECONDS} s: bytes written, wakeups", f"{n}, {wakeups}",
          n == 0 and wakeups == 0)
    for name, keys, shows in (("VMs", b"j", b" %"), ("host view", b"6", b"GUEST MEMORY")):
        cpu, wakeups, n = measured(VMS, "running", 50, 120, keys, shows, SECONDS)
        row(f"console, {VMS} VMs at 1 Hz, {name}: CPU, % of a core", f"{cpu / SECONDS * 100:.2f}", cpu / SECONDS * 100, 1)
        row(f"console, {VMS} VMs at 1 Hz, {name}: KB/s to the terminal", f"{n / SECONDS / 1000:.1f}",
            n / SECONDS / 1000, 60)
