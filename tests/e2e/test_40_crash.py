"""kill -9 of the daemon at any moment: the next command adopts or rolls back, nothing is orphaned."""
import json
import os
import signal
import subprocess

from decklib import DeckCase, alive, processes_with, wait_for


class KilledDaemon(DeckCase):
    def qemus(self):
        def is_qemu(pid):
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                program = f.read().split(b"\0")[0]
            return b"qemu-system" in program or b"vmdeck-agent-host" in program
        return [p for p in processes_with(str(self.deck.home)) if is_qemu(p)]

    def check_consistent(self, name):
        """Either the VM is there and works, or there is nothing of it."""
        vm = self.deck.vm(name)
        if vm is None:
            wait_for("no orphan VMM", lambda: not self.qemus(), 30)
            self.assertEqual(sorted((self.deck.home / "vms").glob("*")), [])
            return "rolled back"
        r = self.deck.rpc(subscribe=True)
        if self.deck.vm(name)["state"] == "starting":
            r.wait_event("vm.state", name, to="running")
        r.close()
        self.assertEqual(self.deck.run("exec", name, "--", "echo", "works")[0], b"works\n")
        self.deck.run("rm", "-f", name)
        return "adopted"

    def test_during_boot(self):
        """Killed right after each event of a boot, in turn."""
        outcome = {}
        for event in ("vm.create", "flow.step", "vmm.spawn", "agent.dial", "epoch.publish", "epoch.ack"):
            with self.subTest(event=event):
                r = self.deck.rpc(subscribe=True)
                pid = r.call("hello", protocol=1)["pid"]
                p = self.deck.popen("boot", "--name", "b")
                r.wait_event(event, "b")
                os.kill(pid, signal.SIGKILL)
                p.communicate(timeout=120)
                r.close()
                wait_for("daemon is gone", lambda: not alive(pid))
                outcome[event] = self.check_consistent("b")
        self.assertIn("adopted", outcome.values(), outcome)

    def test_running_vm_is_adopted(self):
        vm = self.deck.boot("stays")
        for _ in range(3):
            self.deck.kill_daemon()
            again = self.deck.vm("stays")
            self.assertEqual((again["state"], again["pid"], again["id"]), ("running", vm["pid"], vm["id"]))
            self.assertEqual(self.deck.run("exec", "stays", "--", "echo", "ok")[0], b"ok\n")
        self.deck.run("pause", "stays")
        self.deck.kill_daemon()
        self.assertEqual(self.deck.vm("stays")["state"], "paused")
        self.deck.run("resume", "stays")
        self.deck.run("stop", "stays")
        self.assertEqual(self.deck.vm("stays")["state"], "stopped")
        self.deck.kill_daemon()
        self.assertEqual(self.deck.vm("stays")["state"], "stopped")
        self.deck.run("rm", "stays")

    def test_during_exec(self):
        self.deck.boot("busy")
        p = self.deck.popen("exec", "busy", "--", "sh", "-c", "echo up; sleep 4321")
        self.assertEqual(p.stdout.readline(), b"up\n")
        self.deck.kill_daemon()
        _, err = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 125, err)
        self.assertEqual(self.deck.run("exec", "busy", "--", "echo", "ok")[0], b"ok\n")
        wait_for("the cut-off command is gone",
                 lambda: not self.running_in("busy", "[s]leep 4321"), 30)
        self.deck.run("rm", "-f", "busy")

    def test_vmm_gone_while_no_daemon_ran(self):
        vm = self.deck.boot("lost")
        self.deck.kill_daemon()
        os.kill(vm["pid"], signal.SIGKILL)
        wait_for("vmm is gone", lambda: not alive(vm["pid"]))
        self.assertEqual(self.deck.vm("lost")["state"], "failed")
        self.deck.run("rm", "lost")

    def test_two_starters_one_daemon(self):
        self.deck.run("daemon", "stop", code=None)
        procs = [self.deck.popen("ls", "--json") for _ in range(8)]
        for p in procs:
            out, err = p.communicate(timeout=60)
            self.assertEqual(p.returncode, 0, err)
        daemons = [p for p in processes_with(str(self.deck.home)) if
                   os.path.basename(os.readlink(f"/proc/{p}/exe")) == "vmdeckd"]
        self.assertEqual(len(daemons), 1)

    def test_stop_right_after(self):
        """The agent has not dialled the new daemon yet: it is asked when it has, not killed."""
        self.deck.boot("soon")
        self.deck.kill_daemon()
        self.deck.run("stop", "soon")
        vm = self.deck.vm("soon")
        self.assertEqual((vm["state"], vm["reason"]), ("stopped", "powered off"))
        self.deck.run("rm", "soon")

    def test_during_stop(self):
        """Whatever the moment, the VM is not called failed: it ends as asked, or still runs."""
        self.deck.boot("going")
        r = self.deck.rpc(subscribe=True)
        p = self.deck.popen("stop", "going")
        r.wait_event("vm.state", "going", to="stopping")
        r.close()
        self.deck.kill_daemon()
        p.communicate(timeout=120)
        self.assertIn(self.deck.vm("going")["state"], ("stopped", "running"))
        self.deck.run("stop", "going")
        self.assertEqual(self.deck.vm("going")["state"], "stopped")
        self.deck.run("rm", "going")

    def test_spoiled_state(self):
        """vm.json with an argument that is no text must not keep the daemon from starting."""
        vm = self.deck.boot("spoiled")
        self.deck.run("kill", "spoiled")
        self.deck.run("daemon", "stop")
        path = self.deck.home / "vms" / vm["id"] / "vm.json"
        path.write_text(json.dumps(dict(json.loads(path.read_text()), cmd=[None])))
        self.assertIsNone(self.deck.vm("spoiled"))

    def test_spoiled_state_of_a_living_vm(self):
        """The VM is left alone and told of; with its vm.json back it is adopted as if nothing had been."""
        vm = self.deck.boot("lives")
        path = self.deck.home / "vms" / vm["id"] / "vm.json"
        good = path.read_bytes()
        self.deck.run("daemon", "stop")
        path.write_bytes(good[:100])
        self.assertIsNone(self.deck.vm("lives"))
        self.assertTrue(alive(vm["pid"]))
        damaged = [e["fields"] for e in self.deck.events(vm["id"]) if e["name"] == "vm.damaged"]
        self.assertEqual([(f["id"], f["pid"]) for f in damaged], [(vm["id"], vm["pid"])])
        check = [c for c in self.deck.json("doctor", code=None) if c["name"] == "orphans"][0]
        self.assertEqual(check["status"], "warn")
        self.assertIn(f"{vm['id']} (pid {vm['pid']}: ", check["detail"])
        self.deck.run("daemon", "stop")
        path.write_bytes(good)
        self.assertEqual(self.deck.vm("lives")["state"], "running")
        self.assertEqual(self.deck.run("exec", "lives", "--", "echo", "ok")[0], b"ok\n")
        self.deck.run("rm", "-f", "lives")


class SlowMonitor(DeckCase):
    def test_asked_before_the_takeover_ended(self):
        """A monitor that is slow to answer the new daemon: what is asked meanwhile waits."""
        self.deck.boot("slow")
        self.deck.run("pause", "slow")
        for ask, state in (("resume slow", "running"), ("snapshot slow s", "running"),
                           ("pause slow", "paused"), ("stop slow", "stopped")):
            with self.subTest(ask=ask):
                pid = self.deck.vm("slow")["pid"]
                self.deck.kill_daemon()
                os.kill(pid, signal.SIGSTOP)
                try:
                    self.deck.run("ls")
                    p = self.deck.popen(*ask.split())
                    with self.assertRaises(subprocess.TimeoutExpired):
                        p.communicate(timeout=0.3)
                finally:
                    os.kill(pid, signal.SIGCONT)
                err = p.communicate(timeout=60)[1]
                self.assertEqual(p.returncode, 0, err)
                self.assertEqual(self.deck.vm("slow")["state"], state)
        self.deck.run("rm", "slow")
        self.deck.run("rm", "--snapshot", "s")


class KilledDaemonProcess(KilledDaemon):
    process = True
