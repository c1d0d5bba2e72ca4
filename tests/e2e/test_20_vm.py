"""One real VM through its whole life, by the command line."""
import hashlib
import os
import random
import signal
import socket
import subprocess

from decklib import DeckCase, Frames, alive, fd_count, wait_for


class Life(DeckCase):
    """Tests run in order of their names and share the VM 'web'."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rpc = cls.deck.rpc(subscribe=True)
        cls.addClassCleanup(cls.rpc.close)
        cls.web = cls.deck.boot("web")

    def sh(self, script, **kw):
        return self.deck.run("exec", "web", "--", "sh", "-c", script, **kw)

    def test_01_boot_says_what_it_did(self):
        self.assertEqual(self.web["state"], "running")
        self.assertTrue(self.web["agent"]["connected"])
        self.assertGreater(self.web["boot_ms"], 0)
        for name in ("vm.create", "vmm.spawn", "epoch.publish", "epoch.ack", "vm.boot"):
            self.rpc.wait_event(name, "web")

    def test_02_name_in_use(self):
        said = self.deck.error("boot", "--name", "web")
        self.assertIn("web", said)
        self.assertEqual(len(self.deck.json("ls")), 1)

    def test_03_found_by_prefix_and_id(self):
        for who in ("web", "we", self.web["id"], self.web["id"][:6]):
            self.assertEqual(self.deck.run("exec", who, "--", "echo", "hi")[0], b"hi\n")

    def test_04_exit_codes(self):
        for script, code in (("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -9 $$", 137),
                             ("kill -TERM $$", 143)):
            with self.subTest(script=script):
                self.sh(script, code=code)
        self.deck.run("exec", "web", "--", "/no/such/program", code=127)
        self.deck.run("exec", "web", "--", "/etc/passwd", code=126)
        self.deck.run("exec", "-w", "/no/such/folder", "web", "--", "true", code=None)
        self.deck.run("exec", "-u", "nobody-there", "web", "--", "true", code=None)

    def test_05_streams_are_apart_and_whole(self):
        out, err = self.sh("echo out; echo err >&2; echo out2")
        self.assertEqual((out, err), (b"out\nout2\n", b"err\n"))
        data = random.Random(5).randbytes(3_000_000)
        out, _ = self.deck.run("exec", "-i", "web", "--", "cat", input=data)
        self.assertEqual(hashlib.sha256(out).hexdigest(), hashlib.sha256(data).hexdigest())
        out, _ = self.deck.run("exec", "-i", "web", "--", "sha256sum", input=data)
        self.assertEqual(out.split()[0].decode(), hashlib.sha256(data).hexdigest())

    def test_06_environment_folder_user(self):
        out, _ = self.deck.run("exec", "-e", "COLOR=blue", "-w", "/etc", "web", "--", "sh", "-c", "echo $COLOR; pwd")
        self.assertEqual(out, b"blue\n/etc\n")
        out, _ = self.deck.run("exec", "-u", "1000:1000", "web", "--", "id", "-u")
        self.assertEqual(out, b"1000\n")

    def test_07_the_guest_is_itself(self):
        out, _ = self.sh("hostname; cat /proc/1/comm; cat /proc/uptime")
        self.assertEqual(out.split()[0], b"web")
        out, _ = self.sh("date +%s")
        self.assertLess(abs(int(out) - int(subprocess.check_output(["date", "+%s"]))), 5)
        zombies, _ = self.sh("for i in 1 2 3; do (sleep 0.01 &) ; done; sleep 0.2; ps -o stat | grep -c Z", code=None)
        self.assertEqual(zombies.strip(), b"0")

    def test_08_ping_and_vitals(self):
        answer, = self.deck.json("ping", "web")
        self.assertGreater(answer["rtt_ns"], 0)
        ev = self.rpc.wait_event("vitals", "web")
        self.assertGreater(ev["fields"]["mem_total"], 100 << 20)
        self.assertGreater(ev["fields"]["mem_available"], 50 << 20)

    def test_09_many_execs_leak_nothing(self):
        daemon, qemu = self.deck.daemon_pid(), self.web["pid"]
        agent_fds = "ls /proc/1/fd | wc -l"
        self.sh("true")
        before = (fd_count(daemon), fd_count(qemu), int(self.sh(agent_fds)[0]))
        r = self.deck.rpc()
        for n in range(150):
            conn = self.deck.rpc()
            conn.call("vm.exec", vm="web", argv=["echo", str(n)])
            frames, seen = Frames(conn), b""
            while (f := frames.next()) is not None:
                if f[0] == Frames.STDOUT:
                    seen += f[1]
            self.assertEqual(seen, f"{n}\n".encode())
            conn.close()
        r.close()
        wait_for("fds are given back", lambda: (fd_count(daemon), fd_count(qemu)) <= before[:2], 20)
        self.assertLessEqual(int(self.sh(agent_fds)[0]), before[2])

    def test_10_parallel_execs(self):
        procs = [self.deck.popen("exec", "web", "--", "echo", str(n)) for n in range(10)]
        for n, p in enumerate(procs):
            out, err = p.communicate(timeout=120)
            self.assertEqual((p.returncode, out), (0, f"{n}\n".encode()), err)

    def test_11_a_killed_client_kills_its_command(self):
        for sig in (signal.SIGKILL, signal.SIGTERM):
            p = self.deck.popen("exec", "web", "--", "sh", "-c", "echo up; sleep 1234 & sleep 1234")
            self.assertEqual(p.stdout.readline(), b"up\n")
            p.send_signal(sig)
            p.communicate(timeout=60)
            wait_for("the command's group is gone",
                     lambda: not self.running_in("web", "[s]leep 1234"), 30)

    def test_12_signals_reach_the_command(self):
        p = self.deck.popen("exec", "web", "--", "sh", "-c", "trap 'echo got; exit 9' INT; echo up; while :; do sleep 0.05; done")
        self.assertEqual(p.stdout.readline(), b"up\n")
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=60)
        self.assertEqual((p.returncode, out), (9, b"got\n"), err)

    def test_13_pause_resume(self):
        self.deck.run("pause", "web")
        self.assertEqual(self.deck.vm("web")["state"], "paused")
        self.assertIn("paused", self.deck.error("exec", "web", "--", "true", code=125))
        self.deck.run("resume", "web")
        self.assertEqual(self.deck.vm("web")["state"], "running")
        self.assertEqual(self.deck.run("exec", "web", "--", "echo", "back")[0], b"back\n")

    def test_14_refused_while_running(self):
        self.assertIn("web", self.deck.error("rm", "web"))
        self.assertIn("web", self.deck.error("image", "rm", "mini"))

    def test_15_events_and_names(self):
        events = self.deck.json("events", "--vm", "web", "--limit", "1000")
        seqs = [e["seq"] for e in events]
        self.assertEqual(seqs, sorted(set(seqs)))
        self.assertIn("exec.exit", {e["name"] for e in events})

    def test_16_serial_is_kept(self):
        out, _ = self.deck.run("logs", "--serial", "web")
        self.assertNotIn(b"Kernel panic", out)

    def test_17_garbage_on_the_vm_sockets(self):
        """Whoever can reach the sockets beside a VM can't harm the VM or the daemon."""
        rng, daemon = random.Random(17), self.deck.daemon_pid()
        run_dir = os.path.dirname(self.web["vsock_path"])
        for name in ("v.sock", "v.sock_4990", "v.sock_4991"):
            for data in (b"", b"CONNECT\n", b"CONNECT 99999999999\n", b"CONNECT 1\n", b"\0" * 100,
                         rng.randbytes(5000), b"CONNECT 4992\n" + rng.randbytes(5000)):
                with self.subTest(socket=name, data=data[:20]):
                    s = socket.socket(socket.AF_UNIX)
                    s.connect(f"{run_dir}/{name}")
                    try:
                        s.sendall(data)
                    except OSError:
                        pass
                    s.close()
        self.assertEqual(self.deck.run("exec", "web", "--", "echo", "unharmed")[0], b"unharmed\n")
        self.assertEqual(self.deck.daemon_pid(), daemon)
        if not self.deck.vm("web")["agent"]["connected"]:
            self.rpc.wait_event("epoch.ack", "web")
        self.assertEqual(self.deck.vm("web")["state"], "running")

    def test_18_tail_of_logs(self):
        self.sh("echo one-two-three > /run/vmdeck/output")
        out, _ = self.deck.run("logs", "-c", "6", "web")
        self.assertEqual(len(out), 6)
        out, _ = self.deck.run("logs", "--serial", "-c", "5", "web")
        self.assertLessEqual(len(out), 5)

    def test_90_stop_and_remove(self):
        pid = self.web["pid"]
        self.deck.run("stop", "web")
        vm = self.deck.vm("web")
        self.assertEqual((vm["state"], vm["reason"]), ("stopped", "powered off"))
        self.assertFalse(alive(pid))
        self.deck.run("logs", "web")
        self.deck.run("rm", "web")
        self.assertIsNone(self.deck.vm("web"))
        events = self.deck.json("events", "--vm", self.web["id"], "--limit", "10")
        self.assertEqual(events[-1]["name"], "vm.remove")


class MainProcess(DeckCase):
    def test_command_ends_the_vm(self):
        self.deck.boot("job", "--", "sh", "-c", "echo first; echo second; exit 3")
        r = self.deck.rpc(subscribe=True)
        if self.deck.vm("job")["state"] != "stopped":
            r.wait_event("vm.state", "job", to="stopped")
        vm = self.deck.vm("job")
        self.assertEqual(vm["exit"], {"how": "exit", "value": 3})
        self.assertEqual(self.deck.run("logs", "job")[0], b"first\nsecond\n")
        r.close()

    def test_environment_and_resources(self):
        self.deck.boot("big", "--vcpus", "2", "--mem", "384M", "--env", "FOO=bar")
        out, _ = self.deck.run("exec", "big", "--", "sh", "-c", "nproc; echo $FOO; grep MemTotal /proc/meminfo")
        words = out.split()
        self.assertEqual(words[:2], [b"2", b"bar"])
        self.assertGreater(int(words[3]), 300_000)
        self.deck.run("kill", "big")
        self.assertEqual(self.deck.vm("big")["reason"], "killed")

    def test_vmm_dies(self):
        vm = self.deck.boot("dies")
        r = self.deck.rpc(subscribe=True)
        os.kill(vm["pid"], signal.SIGKILL)
        r.wait_event("vm.state", "dies", to="failed")
        self.assertIn("signal 9", self.deck.vm("dies")["reason"])
        self.assertIn("failed", self.deck.error("exec", "dies", "--", "true", code=125))
        self.deck.run("rm", "dies")
        r.close()
