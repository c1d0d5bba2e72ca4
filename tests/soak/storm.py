"""A daemon that exists to be hard on the console: VMs, snapshots and timings come and go, answers are late or
errors, streams are floods of hostile bytes, connections break. Everything comes from one seed."""
import json
import os
import random
import socket
import struct
import threading
import time

FRAME = struct.Struct("<BBHI")
STDOUT, EXIT, CREDIT = 0x48, 0x4c, 0x45
OUT_DATA, OUT_MAIN_EXIT = 0x22, 0x27
STATES = ["starting", "running", "running", "running", "paused", "stopping", "stopped", "failed", "nonsense"]
NASTY = [b"\x1b[31mred\x1b[0m", b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[2J\x1b[H", b"\x1b[5;3r", b"\x1b[r", b"\x1b[1000b",
         b"\x1b[999999999;999999999H", b"\x1b]0;title\x07", b"\x1b]52;c;aGk=\x07", b"\x1b]0;" + b"x" * 3000, b"\x1bP$q\x1b\\",
         b"\x1b[c\x1b[6n\x1b[5n", b"\x1b[?1000h\x1b[?1006h", b"\x1b[?1003h", b"\x1b[?1000l", b"\x1b[38:2::1:2:3mx", b"\x1b[3",
         "wide 你好 \u0301\u0301\u0301 👩‍👩‍👧".encode(), b"\xff\xfe\xc0\x80\xed\xa0\x80", b"\x1b[4h\x1b[20h", b"\x1b[?6h\x1b[?7l",
         b"\x1b#8", b"\x1bc", b"\x1b[!p", b"\t\t\t\b\b\r\n\x0b\x0c", b"\x9b31m\x90\x9c", b"\x1b[1;5;7;4m", b"\x1b[?69h\x1b[2;4s",
         b"\x1b[10L\x1b[10M\x1b[10@\x1b[10P", b"\x1b[S\x1b[9999T", b"\x0e\x0f\x1b(0lqk\x1b(B", b"\x18\x1a", b"\n" * 300]
HOSTILE = ["web", "x" * 300, "\x1b[31m", "名前", "a\nb", "", "%s%n", "\u202eevil", "\U0001f600"]


def noise(rng, n):
    """About n bytes of what no guest should write."""
    out = b""
    while len(out) < n:
        kind = rng.random()
        if kind < 0.5:
            out += rng.choice(NASTY)
        elif kind < 0.6:
            out += rng.randbytes(rng.randint(1, 200))
        elif kind < 0.8:
            out += b"\x1b[" + ";".join(str(rng.choice([0, 1, 2, 7, 38, 48, 5, 255, 65536, 2**31])) for _ in
                                     range(rng.randint(0, 20))).encode() + bytes([rng.randint(0x40, 0x7e)])
        else:
            out += b"plain text %d\r\n" % rng.randint(0, 1 << 30)
    return out


class Storm:
    """Serves RUNTIME/daemon.sock until close()."""

    def __init__(self, runtime, seed):
        self.path, self.rng, self.lock = os.path.join(runtime, "daemon.sock"), random.Random(seed), threading.RLock()
        self.seq, self.vms, self.snapshots, self.timings = 0, {}, {}, []
        self.conns, self.subs, self.listener = set(), set(), None
        self.awake, self.over = threading.Event(), threading.Event()
        self.awake.set()
        self.listen()
        self.thread = threading.Thread(target=self.rage, daemon=True)
        self.thread.start()

    # -- connections

    def listen(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                self.conns.add(conn)
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def drop(self):
        """All connections and the socket go, as when a daemon dies."""
        with self.lock:
            conns, self.conns, self.subs = self.conns, set(), set()
            listener, self.listener = self.listener, None
        if listener:
            os.unlink(self.path)
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for c in conns:
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.over.set()
        self.awake.set()
        self.thread.join()
        self.drop()

    def serve(self, conn):
        data, rng = b"", random.Random(self.pick())
        try:
            while chunk := conn.recv(65536):
                data += chunk
                while b"\n" in data:
                    line, data = data.split(b"\n", 1)
                    self.awake.wait()
                    if not self.answer(conn, json.loads(line), rng):
                        return
        except OSError:
            pass
        finally:
            with self.lock:
                self.conns.discard(conn)
                self.subs.discard(conn)
            conn.close()

    def pick(self):
        with self.lock:
            return self.rng.getrandbits(32)

    def send(self, conn, o):
        with self.lock:
            conn.sendall(json.dumps(o).encode() + b"\n")

    # -- calls

    def answer(self, conn, call, rng):
        method, params, n = call["method"], call.get("params") or {}, call.get("id")
        if method in ("vm.attach", "vm.logs", "vm.exec"):
            if rng.random() < 0.1:
                self.send(conn, {"jsonrpc": "2.0", "id": n, "error": {"code": -32000, "message": "no\x1b[31m"}})
                return False
            end = rng.choice([0, 10, 1 << 40])
            self.send(conn, {"jsonrpc": "2.0", "id": n, "result": {"first": 0, "start": 0, "end": end, "exec": "1"}})
            self.stream(conn, method, rng)
            return False
        if method != "hello" and not method.startswith("event.sub") and rng.random() < 0.15:
            why = {"code": -32000, "message": f"refused: {rng.choice(HOSTILE)}", "data": {"errno": "EBUSY"}}
            self.send(conn, {"jsonrpc": "2.0", "id": n, "error": why})
            return True
        if rng.random() < 0.03 and "." in method and not method.startswith("event.sub"):
            return True  # never answered
        self.send(conn, {"jsonrpc": "2.0", "id": n, "result": self.result(method, params)})
        if method == "event.subscribe":
            with self.lock:
                self.subs.add(conn)
        return True

    def result(self, method, params):
        with self.lock:
            if method == "hello":
                return {"protocol": 1, "version": "0", "pid": os.getpid()}
            if method == "vm.list":
                return list(self.vms.values())
            if method == "vm.get":
                return self.vms.get(params.get("vm"), self.new_vm("lost"))
            if method == "image.list":
                return [{"name": "mini", "state": self.rng.choice(["ready", "missing", "building", "?"]), "bytes": 5,
                         "stale": self.rng.random() < 0.5}]
            if method == "snapshot.list":
                return list(self.snapshots.values())
            if method == "timing.list":
                return self.timings[:200]
            if method == "timing.get":
                return self.new_timing(params.get("timing", params.get("vm", "0")))
            if method == "event.subscribe":
                return {"seq": self.seq, "first": 1}
            if method == "vm.clone":
                return {"vms": [], "failed": [{"name": "x", "error": "no"}], "snapshot": "s"}
            return [] if method.endswith("list") else self.new_vm("0")

    # -- streams

    def stream(self, conn, method, rng):
        at, kind = 0, STDOUT if method == "vm.exec" else OUT_DATA
        conn.setblocking(True)
        if method == "vm.exec":
            conn.sendall(FRAME.pack(CREDIT, 0, 0, 4) + struct.pack("<I", 65536))
        for _ in range(rng.choice([1, 5, 40, 400])):
            self.awake.wait()
            data = noise(rng, rng.choice([10, 1000, 30000]))[:32000]
            head = struct.pack("<Q", at) if kind == OUT_DATA else b""
            conn.sendall(FRAME.pack(kind, 0, 0, len(head) + len(data)) + head + data)
            at += len(data)
            if self.over.wait(rng.choice([0, 0, 0.01, 0.2])):
                return
        end = {0: b"", 1: FRAME.pack(0x7f, 9, 9, 1 << 30), 2: b"\0" * 50}.get(rng.randint(0, 9))
        if end is None and method != "vm.logs":
            end = FRAME.pack(EXIT if method == "vm.exec" else OUT_MAIN_EXIT, 0, 0, 5) + struct.pack("<Bi", 0, 3)
        conn.sendall(end or b"")

    # -- events

    def new_vm(self, vm):
        r = self.rng
        return {"id": vm, "name": r.choice(HOSTILE)[:60] + vm, "state": r.choice(STATES), "created_ns": r.randint(0, 1 << 60),
                "mem_mib": r.choice([64, 256, -1, 1 << 40]), "vcpus": r.randint(-1, 64), "image": "mini", "reason": r.choice(HOSTILE),
                "agent": {"connected": r.random() < 0.7}, "snapshot": r.choice(["", "s1", "s2"])}

    def new_snapshot(self, name):
        r = self.rng
        return {"name": name, "id": name, "state": r.choice(["ready", "damaged", "creating"]), "why": r.choice(HOSTILE),
                "source": r.choice(HOSTILE), "parent": r.choice(["", "s1", "s2", "s3"]), "created_ns": r.randint(0, 1 << 60),
                "users": r.choices(HOSTILE, k=r.randint(0, 9)), "bytes": r.randint(-1, 1 << 50),
                "pool": {"wanted": r.randint(0, 5), "ready": r.randint(0, 5)}, "restores": {"count": r.randint(0, 9), "p50_ms": 3.5}}

    def new_timing(self, vm):
        r = self.rng
        phases = [{"name": r.choice(["load", "resume", "hello", "x" * 99]), "at_ms": r.uniform(-5, 1e4),
                   "ms": r.choice([0, 0.01, 55.5, 1e12, -3]), "limit_s": r.choice([0, 60])} for _ in range(r.randint(0, 40))]
        return {"vm": vm, "kind": r.choice(["boot", "restore"]), "vm_name": r.choice(HOSTILE), "subject": "s1", "vmm": "qemu",
                "result": r.choice(["running", "ok", "failed", "?"]), "started_ns": r.randint(0, 1 << 60), "phases": phases,
                "total_ms": r.choice([0, 124.5, 1e15]), "step": r.choice(HOSTILE), "why": r.choice(HOSTILE),
                "usual": r.choice([None, {"p50_ms": 100, "p90_ms": 120, "p99_ms": 200, "count": 9, "phases": phases}])}

    def event(self, name, vm="", **fields):
        self.seq += 1 if self.rng.random() < 0.99 else 5
        o = {"seq": self.seq, "wall_ns": time.time_ns(), "vm": vm, "vm_name": self.vms.get(vm, {}).get("name", vm), "name": name,
             "fields": fields}
        line = json.dumps({"jsonrpc": "2.0", "method": "event", "params": o}).encode() + b"\n"
        for c in list(self.subs):
            try:
                c.send(line, socket.MSG_DONTWAIT)
            except OSError:
                self.subs.discard(c)
                try:
                    c.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def one_event(self):
        r = self.rng
        vm = f"{r.randint(0, 60):08x}"
        step = {"flow": r.choice(["boot", "restore", "snapshot"]), "step": r.choice(["vmm", "hello", "memory", "y" * 80]),
                "n": r.randint(-1, 12), "of": r.randint(-1, 12), "limit_s": r.choice([0, 60.0]), "snapshot": "s1"}
        match r.randint(0, 13):
            case 0 | 1:
                self.vms[vm] = self.new_vm(vm)
                self.event("vm.create", vm, image="mini", vmm="qemu", vcpus=1, mem_mib=64)
            case 2:
                self.vms.pop(vm, None)
                self.event("vm.remove", vm)
            case 3 | 4:
                self.event("vm.state", vm, to=r.choice(STATES), **{"from": "running"}, reason=r.choice(HOSTILE))
            case 5 | 6:
                self.event("flow.step", vm, **step)
            case 7:
                self.event("vitals", vm, mem_total=r.choice([0, 256]), mem_available=r.choice([-1, 100, 1 << 40]))
            case 8:
                name = f"s{r.randint(0, 30)}"
                self.snapshots[name] = self.new_snapshot(name)
                self.event(r.choice(["vm.snapshot", "vm.snapshot.failed"]), vm, snapshot=name, reason=r.choice(HOSTILE))
                if r.random() < 0.3:
                    del self.snapshots[name]
                    self.event("snapshot.remove", "", snapshot=name)
            case 9:
                self.event("snapshot.progress", vm, snapshot="s1", done=r.randint(-5, 1 << 40), total=r.randint(-5, 1 << 40))
            case 10:
                self.timings.insert(0, self.new_timing(vm))
                self.event(r.choice(["vm.restore", "vm.restore.failed", "vm.boot", "vm.boot.failed"]), vm,
                           reason=r.choice(HOSTILE), total_ms=5, snapshot="s1")
            case 11:
                self.event(r.choice(["queue.wait", "health.change", "agent.lost", "main.exit", "output.gap", "guest.panic"]), vm,
                           place=r.randint(-1, 9), to="sick", how=r.randint(-1, 9), value=7, bytes=1 << 40)
            case 12:
                self.event(r.choice(["asset.build.step", "asset.build.done"]), "", asset="mini", n=1, of=3, step="kernel")
            case _:
                self.event(r.choice(HOSTILE), vm, **{r.choice(HOSTILE): r.choice([None, [], {}, 1e308, "x"])})

    def rage(self):
        """Events in bursts; now and then silence, a stop on purpose, a crash."""
        while not self.over.is_set():
            with self.lock:
                for _ in range(self.rng.choice([0, 1, 1, 3, 200])):
                    self.one_event()
                what, pause = self.rng.random(), self.rng.choice([0.01, 0.05, 0.2])
            if what < 0.01:
                self.awake.clear()
                self.over.wait(0.5)
                self.awake.set()
            elif what < 0.02:
                with self.lock:
                    if what < 0.015:
                        self.event("daemon.stop", why="request")
                self.drop()
                self.over.wait(0.3)
                self.listen()
            self.over.wait(pause)
