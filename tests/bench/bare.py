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
RESTORED = 2
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


def hello_payload(version, hostname, argv):
    strings = b"".join(text(a) for a in argv)
    return (version + os.urandom(16) + os.urandom(16) + struct.pack("<Q", time.time_ns()) +
            os.urandom(64) + struct.pack("<IBHH", 0, 0, 24, 80) + text(hostname) +
            struct.pack("<H", len(argv)) + strings + struct.pack("<HB", 0, 0))


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
        folder = str(folder)
        self.prepare([a.replace(model["dir"], folder).replace(run_dir, folder) for a in argv], folder)

    def prepare(self, argv, folder):
        self.argv, self.dir = argv, pathlib.Path(folder)
        self.vsock = self.dir / "v.sock"
        self.monitor_fds = [int(a.split("fd=")[1].split(",")[0]) for a in argv if "socket," in a and "fd=" in a]
        self.ram_fds = [int(n) for a in argv for n in re.findall(r"mem-path=/proc/self/fd/([0-9]+)", a)]
        self.pid, self.ram, self.sockets = None, -1, []

    def start(self, library):
        self.bind()
        self.ram = os.memfd_create("bare-ram")
        self.spawn(library, {fd: self.ram for fd in self.ram_fds})

    def bind(self):
        """All that QEMU and its guest dial is there before QEMU is."""
        self.control, self.output, self.monitor = map(self.listen, ("v.sock_4990", "v.sock_4991", "qmp.sock"))

    def spawn(self, library, fds):
        """fds: number in QEMU -> descriptor of ours (or of nobody: borrowed until the end of this call)."""
        null = os.open("/dev/null", os.O_RDWR)
        log = os.open(self.dir / "vmm.log", os.O_WRONLY | os.O_CREAT)
        wanted = {0: null, 1: log, 2: log, 200: null, **{fd: self.monitor.fileno() for fd in self.monitor_fds}, **fds}
        # Above every number that QEMU is given, so that no dup2 hits another's source.
        sources = {s: fcntl.fcntl(s, fcntl.F_DUPFD_CLOEXEC, 300) for s in set(wanted.values())}
        actions = [(os.POSIX_SPAWN_DUP2, sources[s], fd) for fd, s in wanted.items()]
        env = dict(os.environ, LD_PRELOAD=str(library), VMDECK_VSOCK=f"fd=200 path={self.vsock}")
        self.pid = os.posix_spawn(self.argv[0], self.argv, env, file_actions=actions)
        for fd in (null, log, *sources.values()):
            os.close(fd)

    def listen(self, name):
        s = socket.socket(socket.AF_UNIX)
        s.bind(str(self.dir / name))
        s.listen(128)
        return self.keep(s)

    def keep(self, sock):
        sock.settimeout(LIMIT)
        self.sockets.append(sock)
        return sock

    def greet(self):
        """READY, HELLO with a generation that the guest has not seen, HELLO_ACK: its verdict."""
        c = Conn(self.keep(self.control.accept()[0]))
        version = c.until(READY)[:4]
        c.sock.sendall(frame(HELLO, hello_payload(version, "bare", ["sleep", "100000"])))
        return c.until(HELLO_ACK)[16]

    def accept_output(self):
        out = Conn(self.keep(self.output.accept()[0]))
        out.until(OUT_OPEN)
        out.sock.sendall(frame(OUT_RESUME, struct.pack("<Q", 0)))

    def hello(self):
        self.greet()
        self.accept_output()

    def stop(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.pid = None
        for s in self.sockets:
            s.close()
        self.sockets = []
        if self.ram >= 0:
            os.close(self.ram)
        self.ram = -1
        for name in ("v.sock", "v.sock_4990", "v.sock_4991", "qmp.sock", "serial.log", "vmm.log"):
            (self.dir / name).unlink(missing_ok=True)
