"""Bad input: one clear sentence, an exit code, nothing left behind. No VM is booted here."""
import json
import os
import pathlib
import random
import socket
import subprocess
import unittest

from decklib import BUILD, Deck, DeckCase, alive, needs_vm, processes_with, wait_for


class Sentences(DeckCase):
    image = False

    def assert_nothing_made(self):
        self.assertEqual(self.deck.json("ls"), [])
        self.assertEqual(sorted((self.deck.home / "vms").glob("*")), [])
        self.assertEqual(sorted((self.deck.runtime / "vms").glob("*")), [])

    def test_missing_image(self):
        said = self.deck.error("boot")
        self.assertIn("mini", said)
        self.assertIn("vmdeck image build mini", said)
        said = self.deck.error("boot", "no-such-image")
        self.assertIn("no-such-image", said)
        self.assert_nothing_made()

    def test_bad_names(self):
        for name in ("../x", "x" * 300, "a\nb", "\x1b[31mred", "-x", ".", "", "a b", "ä"):
            with self.subTest(name=name):
                out, err = self.deck.run("boot", f"--name={name}", code=None)
                self.assertNotIn(b"\x1b", err)
                self.assertEqual(len(err.decode(errors="replace").strip().splitlines()), 1, err)
        self.assert_nothing_made()

    def test_unknown_vm(self):
        for args in (["exec", "nope", "--", "true"], ["stop", "nope"], ["kill", "nope"], ["rm", "nope"],
                     ["pause", "nope"], ["resume", "nope"], ["logs", "nope"], ["attach", "nope"], ["ping", "nope"]):
            with self.subTest(args=args):
                code = 125 if args[0] == "exec" else 1
                self.assertIn("nope", self.deck.error(*args, code=code))

    def test_usage(self):
        for args in (["boo"], ["boot", "--nmae", "x"], ["exec"], ["stop"], ["boot", "--mem", "lots"],
                     ["boot", "--vcpus", "0"], ["boot", "--vmm", "bochs"], ["image"], ["image", "brew", "x"]):
            with self.subTest(args=args):
                out, err = self.deck.run(*args, code=None)
                self.assertTrue(err.decode().startswith("vmdeck"), err)
                self.assertIn(b"--help", err)
        _, err = self.deck.run("boo", code=2)
        self.assertIn(b"boot", err)  # proposes the nearest

    @needs_vm
    def test_qemu_missing(self):
        with_image = Deck(env={"PATH": "/nonexistent"})
        try:
            said = with_image.error("boot", "--name", "x")
            self.assertIn("qemu-system-x86_64", said)
            self.assertEqual(with_image.json("ls"), [])
            self.assertEqual(sorted((with_image.home / "vms").glob("*")), [])
        finally:
            with_image.close()

    @unittest.skipIf(os.geteuid() != 0, "needs root to mount a small filesystem")
    @needs_vm
    def test_no_space_left(self):
        deck = Deck(image=False)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m,mode=700", "tmpfs", deck.home], check=True)
        try:
            deck.link_image(kernels=False)
            said = deck.error("boot", "--name", "x", "--mem", "512M")
            self.assertRegex(said, "(?i)space|free|full")
            self.assertEqual(deck.json("ls"), [])
            self.assertEqual(sorted((deck.home / "vms").glob("*")), [])
        finally:
            deck.end_processes()
            subprocess.run(["umount", deck.home], check=True)
            deck.close()

    def test_path_too_long(self):
        env = dict(self.deck.env, VMDECK_RUNTIME="/tmp/" + "r" * 120)
        p = subprocess.run([BUILD / "vmdeck", "ls"], env=env, capture_output=True, text=True, timeout=60)
        self.assertEqual(p.returncode, 1)
        self.assertIn("VMDECK_RUNTIME", p.stderr)
        self.assertEqual(len(p.stderr.strip().splitlines()), 1, p.stderr)
        self.assertFalse(pathlib.Path(env["VMDECK_RUNTIME"]).exists())

    def test_runtime_folder_goes_with_the_daemon(self):
        """One that vmdeck named itself (by VMDECK_HOME), not one that was given to it."""
        env = dict(self.deck.env, VMDECK_HOME=str(self.deck.dir / "h2"))
        del env["VMDECK_RUNTIME"]

        def vmdeck(*args):
            p = subprocess.run([BUILD / "vmdeck", *args], env=env, capture_output=True, text=True, timeout=120)
            self.assertIn(p.returncode, (0, 1) if args[0] == "doctor" else (0,), p.stderr)
            return p.stdout

        detail = [c["detail"] for c in json.loads(vmdeck("doctor", "--json")) if c["name"] == "runtime folder"][0]
        runtime = pathlib.Path(detail.split(",")[0])
        self.assertTrue((runtime / "daemon.sock").exists() and (runtime / "vms").is_dir())
        for _ in range(3):  # a command right behind the end waits for a new daemon
            vmdeck("daemon", "stop")
            vmdeck("ls")
        pid = processes_with(env["VMDECK_HOME"])[0]
        vmdeck("daemon", "stop")
        wait_for("the daemon is gone", lambda: not alive(pid))
        self.assertFalse(runtime.exists())

    def test_home_not_writable(self):
        env = dict(self.deck.env, VMDECK_HOME="/proc/nope")
        env["VMDECK_RUNTIME"] = str(self.deck.dir / "r2")
        p = subprocess.run([BUILD / "vmdeck", "ls"], env=env, capture_output=True, text=True, timeout=60)
        self.assertEqual(p.returncode, 1)
        self.assertIn("/proc/nope", p.stderr)

    def test_version_mismatch(self):
        """A daemon of another protocol version: both versions and the next step are named."""
        runtime = self.deck.dir / "old"
        runtime.mkdir(mode=0o700)
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(runtime / "daemon.sock"))
        server.listen(1)
        env = dict(self.deck.env, VMDECK_RUNTIME=str(runtime))
        p = subprocess.Popen([BUILD / "vmdeck", "ls"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        conn, _ = server.accept()
        request = json.loads(conn.makefile().readline())
        answer = {"jsonrpc": "2.0", "id": request["id"], "error": {
            "code": -32071, "message": "vmdeckd 9.9.9 (pid 1) speaks protocol 99, the client 1"}}
        conn.sendall(json.dumps(answer).encode() + b"\n")
        out, err = p.communicate(timeout=60)
        conn.close()
        server.close()
        self.assertEqual(p.returncode, 1)
        self.assertIn(b"99", err)
        self.assertEqual(len(err.strip().splitlines()), 1, err)


class HostileBytes(DeckCase):
    image = False

    def check_alive(self):
        r = self.deck.rpc()
        self.assertEqual(r.call("vm.list"), [])
        r.close()

    def test_garbage_on_the_daemon_socket(self):
        rng = random.Random(1)
        self.deck.run("ls")
        pid = self.deck.daemon_pid()
        for n in range(60):
            s = socket.socket(socket.AF_UNIX)
            s.connect(str(self.deck.runtime / "daemon.sock"))
            try:
                s.sendall(rng.randbytes(rng.choice((1, 100, 70000))) + b"\n" * (n % 2))
            except OSError:
                pass
            s.close()
        self.check_alive()
        self.assertEqual(self.deck.daemon_pid(), pid)

    def test_wrong_calls(self):
        r = self.deck.rpc()
        for method, params, word in (
                ("vm.lst", {}, "vm.list"), ("vm.get", {}, "vm"), ("vm.get", {"vm": 5}, "vm"),
                ("vm.get", {"vm": "x", "extra": 1}, "extra"), ("vm.boot", {"vcpus": 1000}, "vcpus"),
                ("vm.boot", {"mem_mib": -1}, "mem_mib"), ("vm.boot", {"cmd": [1]}, "cmd"),
                ("vm.exec", {"vm": "x", "argv": []}, "argv"), ("event.list", {"limit": 0}, "limit"),
                ("image.build", {"name": "../../etc"}, "image name"), ("image.rm", {"name": "../vms"}, "image")):
            with self.subTest(method=method, params=params):
                answer = r.call_raw(method, **params)
                self.assertIn("error", answer)
                self.assertIn(word, answer["error"]["message"])
        r.close()
        self.check_alive()

    def test_huge_line(self):
        self.deck.run("ls")
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(60)
        s.connect(str(self.deck.runtime / "daemon.sock"))
        try:
            for _ in range(64):
                s.sendall(b"x" * 65536)
            while s.recv(65536):
                pass
        except OSError:
            pass
        s.close()
        self.check_alive()

    def test_other_users_are_refused(self):
        """SO_PEERCRED: a process of another uid gets no answer although it can reach the socket."""
        if os.geteuid() != 0:
            self.skipTest("needs root to become another user")
        self.deck.run("ls")
        self.deck.dir.chmod(0o755)
        self.deck.runtime.chmod(0o755)
        sock = self.deck.runtime / "daemon.sock"
        sock.chmod(0o666)
        code = ("import os,socket,sys\nos.setuid(12345)\ns=socket.socket(socket.AF_UNIX)\ns.settimeout(30)\n"
                "s.connect(sys.argv[1])\n"
                "s.sendall(b'{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"vm.list\"}\\n')\n"
                "print(s.recv(4096).decode())\n")
        p = subprocess.run(["python3", "-c", code, str(sock)], capture_output=True, text=True, timeout=60)
        self.assertNotIn('"result"', p.stdout)
        self.check_alive()
