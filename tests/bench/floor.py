"""The floor of snapshot and restore: stock QEMU again, spoken to by hand. A bare guest is stopped, its device
state is migrated into a file and its memory copied beside it; copies of the guest start from the two files,
the memory mapped copy-on-write. Nothing waits but for an event: an accepted connection, a QMP event, a frame."""
import contextlib
import errno
import os
import pathlib
import shutil
import socket
import statistics

from bare import RESTORED, Bare, raw_exec
from decklib import BUILD, DeckError
from measure import ms, parallel, row, timed
from qmp import Qmp

LIBRARY = BUILD / "vmdeck-vsock.so"
STATE_FD = 5  # in QEMU, below it: standard ones, monitor, memory
FIRST_EXEC = ["sh", "-c", "echo"]
TENS = 20  # rounds of ten commands before the snapshot
CAPABILITIES = {"execute": "migrate-set-capabilities", "arguments": {"capabilities": [
    {"capability": "x-ignore-shared", "state": True}, {"capability": "events", "state": True}]}}


def extents(fd):
    """(offset, length) of each piece of a sparse file that holds data."""
    end, at = os.fstat(fd).st_size, 0
    while at < end:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as e:
            if e.errno == errno.ENXIO:
                return
            raise
        at = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, at - start


def sparse_copy(src, path):
    """Data only, in the kernel; returns the bytes copied."""
    dst = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.ftruncate(dst, os.fstat(src).st_size)
        total = 0
        for start, length in extents(src):
            os.lseek(dst, start, os.SEEK_SET)
            done = 0
            while done < length:
                n = os.sendfile(dst, src, start + done, length - done)
                if n == 0:
                    raise DeckError(f"{path}: the memory ended at {start + done}")
                done += n
            total += length
        return total
    finally:
        os.close(dst)


def raw_ten(vsock, width=10):
    """Ten commands at once straight over the socket: time until the last one's exit."""
    def one(i):
        how = raw_exec(vsock, FIRST_EXEC)
        if how != (0, 0):
            raise DeckError(f"exec {i} ended with {how}")
    return timed(lambda: parallel(width, one))


class Source:
    """A bare guest, booted, measured, stopped and saved: a template for Restored. It stays stopped, so that
    the copy of its memory can be timed again and again."""

    def __init__(self, model, folder):
        self.dir = pathlib.Path(folder)
        self.dir.mkdir(parents=True)
        self.bare = Bare(model, self.dir)
        self.memory, self.state = self.dir / "memory", self.dir / "state"
        self.ten = []
        try:
            self.bare.start(LIBRARY)
            self.bare.hello()
            raw_exec(self.bare.vsock, FIRST_EXEC)
            self.ten = [raw_ten(self.bare.vsock) for _ in range(TENS)]
            self.save()
        except BaseException:
            self.close()
            raise

    def save(self):
        sock = self.bare.keep(socket.socket(socket.AF_UNIX))
        sock.connect(str(self.dir / "qmp.sock"))
        qmp = Qmp(sock)
        state = os.open(self.state, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            qmp.send({"execute": "stop"}, CAPABILITIES)
            qmp.answered()
            qmp.send({"execute": "getfd", "arguments": {"fdname": "state"}}, fd=state)
            qmp.send({"execute": "migrate", "arguments": {"uri": "fd:state"}})
            qmp.migrated()
        finally:
            os.close(state)
        self.copied = sparse_copy(self.bare.ram, self.memory)

    def copy(self):
        """The memory alone, once more."""
        path = self.dir / "memory-again"
        try:
            return timed(lambda: sparse_copy(self.bare.ram, path))
        finally:
            path.unlink(missing_ok=True)

    def argv(self, folder):
        """Of a QEMU that goes on from the two files: the same machine without a kernel."""
        argv, given = [], iter(self.bare.argv)
        for a in given:
            if a in ("-kernel", "-initrd", "-append"):
                next(given)
            elif a.startswith("memory-backend-file,"):
                head = a.split(",mem-path=")[0]
                argv.append(f"{head},mem-path={self.memory},share=off")
            else:
                argv.append(a.replace(str(self.dir), str(folder)))
        return [*argv, "-incoming", "defer"]

    def close(self):
        self.bare.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class Restored(Bare):
    """A copy of a Source, in a folder of its own. spawn, load and go are restore in its three steps."""

    def __init__(self, source, folder):
        self.source = source
        os.mkdir(folder)
        self.prepare(source.argv(folder), folder)
        self.bind()

    def launch(self):
        state = os.open(self.source.state, os.O_RDONLY)
        try:
            self.spawn(LIBRARY, {STATE_FD: state})
        finally:
            os.close(state)
        sock = self.keep(socket.socket(socket.AF_UNIX))
        sock.connect(str(self.dir / "qmp.sock"))
        self.qmp = Qmp(sock)

    def load(self):
        self.qmp.send(CAPABILITIES, {"execute": "migrate-incoming", "arguments": {"uri": f"fd:{STATE_FD}"}})
        self.qmp.migrated()
        self.qmp.answered()

    def go(self):
        """On to HELLO_ACK: the guest is itself again."""
        self.qmp.send({"execute": "cont"})
        verdict = self.greet()
        if verdict != RESTORED:
            raise DeckError(f"the guest does not know that it is a copy: verdict {verdict}")

    def restore(self):
        self.launch()
        self.load()
        self.go()

    def exec_first(self):
        how = raw_exec(self.vsock, FIRST_EXEC)
        if how != (0, 0):
            raise DeckError(f"the first exec ended with {how}")

    def stop(self):
        super().stop()
        shutil.rmtree(self.dir)


class Floor:
    """Sources by size of memory, and samples of them, in seconds. Files are on the deck's filesystem."""

    def __init__(self, deck):
        self.deck, self.dir, self.n = deck, deck.dir / "floor", 0
        self.dir.mkdir()
        self.sources = {}

    def source(self, mem_mib):
        """Modelled on a VM that vmdeck boots for it, and removes."""
        if mem_mib not in self.sources:
            name = f"floor{mem_mib}"
            model = self.deck.boot(name, "--mem", str(mem_mib))
            try:
                self.sources[mem_mib] = Source(model, self.dir / f"m{mem_mib}")
            finally:
                self.deck.run("rm", "-f", name)
        return self.sources[mem_mib]

    @contextlib.contextmanager
    def copy_of(self, mem_mib):
        self.n += 1
        r = Restored(self.source(mem_mib), self.dir / f"r{self.n}")
        try:
            yield r
        finally:
            r.stop()

    def both(self, mem_mib):
        """One restore: (request to HELLO_ACK, request to the first exec's exit)."""
        with self.copy_of(mem_mib) as r:
            hello = timed(r.restore)
            return hello, hello + timed(r.exec_first)

    def pool(self, mem_mib):
        """The same from a QEMU that has loaded the state and waits."""
        with self.copy_of(mem_mib) as r:
            r.launch()
            r.load()
            hello = timed(r.go)
            return hello, hello + timed(r.exec_first)

    def ten(self, mem_mib):
        """Ten commands at once as the first thing after a restore."""
        with self.copy_of(mem_mib) as r:
            r.restore()
            return raw_ten(r.vsock)

    def copy(self, mem_mib):
        return self.source(mem_mib).copy()

    def close(self):
        for s in self.sources.values():
            s.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def floor_hello(floor, mem_mib, n):
    return [floor.both(mem_mib)[0] for _ in range(n)]


def floor_exec(floor, mem_mib, n):
    return [floor.both(mem_mib)[1] for _ in range(n)]


def floor_pool(floor, mem_mib, n):
    return [floor.pool(mem_mib)[0] for _ in range(n)]


def floor_copy(floor, mem_mib, n):
    return [floor.copy(mem_mib) for _ in range(n)]


def bench_floor(floor, n, sizes=(256, 1024)):
    """The floor alone."""
    for size in sizes:
        floor.both(size)
        for what, fn in (("restore to HELLO answered", floor_hello), ("restore to the first exec's exit", floor_exec),
                         ("pool, cont to HELLO answered", floor_pool), ("sparse copy of the memory", floor_copy)):
            row(f"{size} MiB, {what} (n={n})", ms(statistics.median(fn(floor, size, n))))
        before, after = floor.source(size).ten, [floor.ten(size) for _ in range(n)]
        row(f"{size} MiB, 10 parallel execs: before, after restore",
            f"{ms(statistics.median(before))} {ms(statistics.median(after))}")
