"""The floor: stock QEMU with the same kernel, image, agent and vsock library, started and spoken to directly,
with no daemon in between. Its command line is taken from a VM that vmdeck booted, so both are the same."""
import fcntl
import os
import pathlib
import re
import signal
import socket
import struct
import time

HEADER = struct.Struct("<BBHI")
READY, HELLO, HELLO_ACK = 0x01, 0x02, 0x03
OUT_OPEN, OUT_RESUME = 0x20, 0x21
REQ, ACK, GO, EXIT = 0x40, 0x41, 0x43, 0x4c
LIMIT = 120


def frame(kind, payload=b""):
    return HEADER.pack(kind, 0, 0, len(payload)) + payload


def text(s):
    data = s.encode()
    return struct.pack("<H", len(data)) + data


class Conn:
    def __init__(self, sock):
        self.sock, self.data = sock, b""
        sock.settimeout(LIMIT)

    def need(self, n):
        while len(self.data) < n:
            more = self.sock.recv(262144)
            if not more:
                raise EOFError("the guest closed the connection")
            self.data += more

    def next(self):
        self.need(HEADER.size)
        kind, _, _, n = HEADER.unpack(self.data[:HEADER.size])
        self.need(HEADER.size + n)
        payload = self.data[HEADER.size:HEADER.size + n]
        self.data = self.data[HEADER.size + n:]
        return kind, payload

    def until(self, kind):
        while True:
            k, payload = self.next()
            if k == kind:
                return payload


def hello_payload(hostname, argv):
    strings = b"".join(text(a) for a in argv)
    return (struct.pack("<I", 1) + os.urandom(16) + os.urandom(16) + struct.pack("<Q", time.time_ns()) +
            os.urandom(64) + struct.pack("<IBHH", 0, 0, 24, 80) + text(hostname) +
            struct.pack("<H", len(argv)) + strings + struct.pack("<H", 0))


def request_payload(argv):
    return (os.urandom(16) + struct.pack("<BHH", 0, 24, 80) + text("") + text("") +
            struct.pack("<H", len(argv)) + b"".join(text(a) for a in argv) + struct.pack("<H", 0))


def raw_exec(vsock, argv, on_data=None):
    """One command straight over the hybrid socket: (exit how, value)."""
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(str(vsock))
        s.sendall(b"CONNECT 4992\n")
        c = Conn(s)
        while b"\n" not in c.data:
            c.need(len(c.data) + 1)
        ok, c.data = c.data.split(b"\n", 1)
        if not ok.startswith(b"OK "):
            raise EOFError(f"no OK from the VMM: {ok!r}")
        s.sendall(frame(REQ, request_payload(argv)))
        c.until(ACK)
        s.sendall(frame(GO))
        return struct.unpack("<Bi", c.until(EXIT))
    finally:
        s.close()


class Bare:
    """A QEMU like the one with pid `model`, its folders replaced by ours."""

    def __init__(self, model, folder):
        proc = pathlib.Path(f"/proc/{model['pid']}")
        argv = (proc / "cmdline").read_bytes().decode().split("\0")[:-1]
        run_dir = os.path.dirname(model["vsock_path"])
        self.dir = pathlib.Path(folder)
        self.vsock = self.dir / "v.sock"
        self.argv = [a.replace(model["dir"], str(self.dir)).replace(run_dir, str(self.dir)) for a in argv]
        self.monitor_fds = [int(a.split("fd=")[1].split(",")[0]) for a in argv if "socket," in a and "fd=" in a]
        self.ram_fds = [int(n) for a in argv for n in re.findall(r"mem-path=/proc/self/fd/([0-9]+)", a)]
        self.pid = None

    def start(self, library):
        self.control = self.listen("v.sock_4990")
        self.output = self.listen("v.sock_4991")
        monitor = self.listen("qmp.sock")
        null = os.open("/dev/null", os.O_RDWR)
        log = os.open(self.dir / "vmm.log", os.O_WRONLY | os.O_CREAT)
        ram = os.memfd_create("bare-ram")
        # Above every number that QEMU is given, so that no dup2 hits another's source.
        sources = {s: fcntl.fcntl(s, fcntl.F_DUPFD_CLOEXEC, 300) for s in (monitor.fileno(), ram)}
        actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2),
                   (os.POSIX_SPAWN_DUP2, null, 200)]
        actions += [(os.POSIX_SPAWN_DUP2, sources[monitor.fileno()], fd) for fd in self.monitor_fds]
        actions += [(os.POSIX_SPAWN_DUP2, sources[ram], fd) for fd in self.ram_fds]
        env = dict(os.environ, LD_PRELOAD=str(library), VMDECK_VSOCK=f"fd=200 path={self.vsock}")
        self.pid = os.posix_spawn(self.argv[0], self.argv, env, file_actions=actions)
        for fd in (null, log, ram, *sources.values()):
            os.close(fd)
        monitor.close()

    def listen(self, name):
        s = socket.socket(socket.AF_UNIX)
        s.bind(str(self.dir / name))
        s.listen(128)
        s.settimeout(LIMIT)
        return s

    def hello(self):
        c = Conn(self.control.accept()[0])
        c.until(READY)
        c.sock.sendall(frame(HELLO, hello_payload("bare", ["sleep", "100000"])))
        c.until(HELLO_ACK)
        self.connection = c
        self.out = Conn(self.output.accept()[0])
        self.out.until(OUT_OPEN)
        self.out.sock.sendall(frame(OUT_RESUME, struct.pack("<Q", 0)))

    def stop(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.pid = None
        for s in (self.control, self.output):
            s.close()
        for name in ("ram", "v.sock", "v.sock_4990", "v.sock_4991", "qmp.sock"):
            (self.dir / name).unlink(missing_ok=True)
