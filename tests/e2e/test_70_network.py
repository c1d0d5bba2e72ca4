"""Networks of real VMs in a world of the test's own: out by name and address, in by published ports, clones
that don't meet, links that go and come, and nothing left behind. Bridged as root, rootless as an ordinary account."""
import json
import os
import signal
import unittest

from decklib import BUILD, NO_VM, DeckError, alive, processes_with, running_program, wait_for
from worldlib import NAME, SERVER, World, WorldDeck

WEB = "mkdir -p /run/www; hostname > /run/www/index.html; httpd -p 80 -h /run/www"
CLONES = 10


class Networked:
    maxDiff = None
    """The same tests for each mode: `mode`, `user`."""

    @classmethod
    def setUpClass(cls):
        if NO_VM:
            raise unittest.SkipTest("this run is without VMs")
        if os.geteuid() != 0:
            raise unittest.SkipTest("the world of namespaces is made as root")
        cls.world = World()
        cls.addClassCleanup(cls.world.close)
        cls.deck = WorldDeck(cls.world, cls.user)
        cls.addClassCleanup(cls.deck.close)

    def boot(self, name, *args):
        vm = self.deck.boot(name, "--net", self.mode, *args)
        self.addCleanup(self.deck.run, "rm", "-f", name, code=None)
        return vm

    def own(self, vm):
        return self.deck.vm(vm)["network"]["address"]

    def nothing_left(self):
        try:
            wait_for("nothing is left on the host", lambda: not self.world.leftovers(), 10)
        except DeckError:
            self.fail(f"left on the host: {self.world.leftovers()}")

    def test_out(self):
        self.boot("out")
        self.assertRegex(self.deck.sh("out", f"wget -qO- http://{SERVER}/"), "^hello ")
        self.assertRegex(self.deck.sh("out", f"wget -qO- http://{NAME}/"), "^hello ")
        self.assertRegex(self.deck.sh("out", f"wget -qO- http://{NAME.split('.')[0]}/"), "^hello ")  # search
        self.assertIn("NXDOMAIN", self.deck.sh("out", "nslookup nobody.test 2>&1 || true"))  # by UDP
        traffic = self.deck.vm("out")["network"]["traffic"]
        self.assertGreater(traffic["rx_packets"], 5)
        self.assertGreater(traffic["tx_bytes"], 500)

    def test_in(self):
        self.boot("in", "-p", "8080:80", "-p", "127.0.0.1:8081:80")
        self.deck.sh("in", WEB)
        self.assertEqual(self.world.fetch(self.own("in"), 8080), "in\n")
        self.assertEqual(self.world.fetch("127.0.0.1", 8081), "in\n")
        self.assertIsNone(self.world.fetch(self.own("in"), 8081, 1))
        self.assertIsNone(self.world.fetch("127.0.0.1", 8080, 1))

    def test_udp_in(self):
        self.boot("u", "-p", "5300:53/udp")
        self.deck.run("exec", "-i", "u", "--", "sh", "-c", "cat > /run/echo; chmod +x /run/echo; /run/echo 53",
                      input=(BUILD / "tests" / "udp_echo").read_bytes())
        self.assertEqual(self.world.datagram(self.own("u"), 5300, "ping"), "ping")

    def test_clash(self):
        self.boot("first", "-p", "127.0.0.1:8090:80")
        error = self.deck.error("boot", "--net", self.mode, "-p", "127.0.0.1:8090:81")
        self.assertIn("VM 'first' has that port", error)
        with self.world.hold_port("127.0.0.1", 8091):
            error = self.deck.error("boot", "--net", self.mode, "-p", "127.0.0.1:8091:80")
        self.assertIn("cannot publish '127.0.0.1:8091:80/tcp': something on this host has the port", error)
        error = self.deck.error("boot", "--net", self.mode, "-p", "192.0.2.77:80:80")
        self.assertIn("the address is none of this host's", error)
        self.assertEqual([vm["name"] for vm in self.deck.json("ls")], ["first"])

    def test_clones(self):
        """All fetch at the same time, each is published on its own address, none sees another."""
        self.boot("src", "-p", "8080:80")
        self.deck.sh("src", "mkdir -p /run/www; httpd -p 80 -h /run/www")
        self.deck.run("snapshot", "src", "s")
        names = self.deck.text("clone", "s", "-n", CLONES, "--name", "c").split()
        self.addCleanup(self.deck.run, "rm", "-f", *names, code=None)
        self.assertEqual(len(names), CLONES)
        running = [self.deck.popen("exec", n, "--", "sh", "-c",
                                   f"hostname > /run/www/index.html; wget -qO- http://{NAME}/") for n in names]
        for n, p in zip(names, running):
            out, err = p.communicate(timeout=60)
            self.assertRegex(out, b"^hello ", (n, err))
        own = {n: self.own(n) for n in names}
        self.assertEqual(len(set(own.values())), CLONES)
        for n in names:
            self.assertEqual(self.world.fetch(own[n], 8080), f"{n}\n")
        other = own[names[1]]
        self.assertEqual(self.deck.sh(names[0], f"wget -T 1 -qO- http://{other}:8080/ 2>/dev/null || echo none"), "none\n")
        self.assertEqual(self.deck.sh(names[0], "wget -qO- http://10.0.2.100/"), f"{names[0]}\n")
        self.deck.run("rm", "-f", *names, "src")
        self.deck.run("rm", "--snapshot", "s")
        self.nothing_left()

    def test_open_connections_of_a_copy_end(self):
        self.boot("talk")
        self.deck.sh("talk", f"(sleep 1000 | nc {SERVER} 80) >/dev/null 2>&1 </dev/null & "
                     "until netstat -tn | grep -q ESTABLISHED; do sleep 0.05; done")
        self.deck.run("snapshot", "talk", "t")
        self.deck.run("restore", "t", "--name", "copy")
        self.addCleanup(self.deck.run, "rm", "--snapshot", "t")
        self.addCleanup(self.deck.run, "rm", "-f", "copy")
        self.assertNotIn("ESTABLISHED", self.deck.sh("copy", "netstat -tn"))
        self.assertIn("ESTABLISHED", self.deck.sh("talk", "netstat -tn"))

    def test_published_ports_are_proved(self):
        self.boot("prove", "-p", "8080:80", "-p", "8081:81")
        self.deck.run("snapshot", "prove", "p")
        self.addCleanup(self.deck.run, "rm", "--snapshot", "p")
        self.deck.run("restore", "p", "--name", "proved")
        self.addCleanup(self.deck.run, "rm", "-f", "proved")
        events = self.deck.events("proved")
        proof = [e["fields"] for e in events if e["name"] == "net.publish"]
        self.assertEqual([(p["ports"], p["silent"]) for p in proof], [(2, 0)])
        steps = [e["fields"]["step"] for e in events if e["name"] == "flow.step"]
        self.assertEqual(steps[-2:], ["publish", "health"])

    def test_health_over_http(self):
        """From inside the VM's namespace: healthy with the first 200, unhealthy with curl's reason."""
        self.boot("web", "--health-url", "http://10.0.2.100:80/", "--health-interval", "0.2")
        self.deck.sh("web", "mkdir -p /run/www; httpd -p 80 -h /run/www; echo x > /run/www/index.html")
        wait_for("healthy", lambda: self.health("web")["state"] == "healthy", 20)
        self.deck.sh("web", "killall httpd")
        wait_for("unhealthy", lambda: self.health("web")["state"] == "unhealthy", 20)
        self.assertIn("10.0.2.100", self.health("web")["reason"])
        self.deck.sh("web", "httpd -p 80 -h /run/www")
        wait_for("healthy again", lambda: self.health("web")["state"] == "healthy", 20)
        self.deck.run("snapshot", "web", "w")
        self.addCleanup(self.deck.run, "rm", "--snapshot", "w")
        self.deck.run("restore", "w", "--name", "web2")
        self.addCleanup(self.deck.run, "rm", "-f", "web2")
        wait_for("the copy is healthy by its own server", lambda: self.health("web2")["probe"] == "http" and
                 self.health("web2")["state"] == "healthy", 20)

    def test_health_over_tcp_while_the_link_is_down(self):
        pid = self.boot("tcp", "--health-tcp", "81", "--health-interval", "0.2", "--health-timeout", "1")["pid"]
        self.deck.sh("tcp", "httpd -p 81 -h /run")
        wait_for("healthy", lambda: self.health("tcp")["state"] == "healthy", 20)
        self.world.inside(pid, "ip link set tap0 down")
        wait_for("no more", lambda: self.health("tcp")["state"] in ("timeout", "unhealthy"), 20)
        self.assertFalse(self.deck.vm("tcp")["network"]["up"])
        self.world.inside(pid, "ip link set tap0 up")
        wait_for("healthy again", lambda: self.health("tcp")["state"] == "healthy", 20)

    def health(self, vm):
        return self.deck.json("health", vm)

    def test_resolvers_of_a_copy_are_new(self):
        self.boot("dns")
        self.deck.run("snapshot", "dns", "d")
        self.addCleanup(self.deck.run, "rm", "--snapshot", "d")
        self.world.resolvers(f"nameserver 192.0.2.53\nnameserver {SERVER}\n")
        self.addCleanup(self.world.resolvers, f"nameserver {SERVER}\nsearch test\n")
        self.deck.run("restore", "d", "--name", "dns2")
        self.addCleanup(self.deck.run, "rm", "-f", "dns2")
        self.assertIn("nameserver 192.0.2.53\n", self.deck.sh("dns2", "cat /etc/resolv.conf"))
        self.assertNotIn("192.0.2.53", self.deck.sh("dns", "cat /etc/resolv.conf"))

    def test_no_resolver(self):
        self.world.resolvers("nameserver 127.0.0.1\n")
        self.addCleanup(self.world.resolvers, f"nameserver {SERVER}\nsearch test\n")
        self.assertIn("no DNS server for the guest", self.deck.error("boot", "--net", self.mode))
        self.assertEqual(self.deck.json("ls"), [])
        self.nothing_left()

    def test_link_goes_and_comes(self):
        pid = self.boot("link")["pid"]
        self.world.inside(pid, "ip link set up0 down")
        wait_for("it is told", lambda: not self.deck.vm("link")["network"]["up"])
        self.assertEqual(self.deck.vm("link")["network"]["why"], "link up0 is down or gone")
        self.world.inside(pid, "ip link set up0 up")
        wait_for("it is up", lambda: self.deck.vm("link")["network"]["up"])
        names = [e["name"] for e in self.deck.events("link")]
        self.assertLess(names.index("net.ready"), names.index("net.down"))
        self.assertLess(names.index("net.down"), names.index("net.up"))

    def test_daemon_restart(self):
        before = self.boot("stays", "-p", "8080:80")
        self.deck.sh("stays", WEB)
        os.kill(self.daemon(), signal.SIGKILL)
        after = self.deck.vm("stays")
        self.assertEqual((after["pid"], after["state"]), (before["pid"], "running"))
        wait_for("its network is known", lambda: self.deck.vm("stays")["network"].get("up"))
        self.assertEqual(self.own("stays"), before["network"]["address"])
        self.assertEqual(self.world.fetch(self.own("stays"), 8080), "stays\n")
        self.deck.run("rm", "-f", "stays")
        self.nothing_left()

    def daemon(self):
        return int((self.deck.home / "vmdeckd.lock").read_text())

    def test_vmm_killed(self):
        vm = self.boot("dies", "-p", "8080:80", "-p", "127.0.0.1:8082:80")
        os.kill(vm["pid"], signal.SIGKILL)
        wait_for("it is told", lambda: self.deck.vm("dies")["state"] == "failed")
        self.nothing_left()

    def test_vmm_killed_without_a_daemon(self):
        """The keeper undoes it all, whether a daemon runs or not."""
        vm = self.boot("alone", "-p", "127.0.0.1:8083:80")
        daemon = self.daemon()
        os.kill(daemon, signal.SIGKILL)
        wait_for("no daemon", lambda: not alive(daemon))
        os.kill(vm["pid"], signal.SIGKILL)
        wait_for("no process is left", lambda: not processes_with(str(self.deck.home)), 20)
        self.nothing_left()
        self.assertEqual(self.deck.vm("alone")["state"], "failed")

    def test_network_of_a_snapshot_is_kept(self):
        self.boot("with")
        self.deck.boot("without")
        self.addCleanup(self.deck.run, "rm", "-f", "without")
        for vm, other in (("with", "none"), ("without", self.mode)):
            self.deck.run("snapshot", vm, f"of-{vm}")
            self.addCleanup(self.deck.run, "rm", "--snapshot", f"of-{vm}")
            self.assertIn(f"{vm} a network card", self.deck.error("restore", f"of-{vm}", "--net", other))
        self.assertIn("no pool", self.deck.error("pool", "of-with", "1"))


class Bridged(Networked, unittest.TestCase):
    mode, user = "bridged", False

    def test_forwarding_is_given_back(self):
        self.world.sh("echo 0 > /proc/sys/net/ipv4/ip_forward")
        self.boot("f")
        self.assertEqual(self.world.sh("cat /proc/sys/net/ipv4/ip_forward"), "1\n")
        self.deck.run("rm", "-f", "f")
        self.nothing_left()
        self.assertEqual(self.world.sh("cat /proc/sys/net/ipv4/ip_forward"), "0\n")

    def test_orphans(self):
        """Planted by hand: named and removed when they say that they are this home's; nothing else is touched."""
        self.boot("lives", "-p", "127.0.0.1:8085:80")
        home = self.deck.home
        self.world.sh(f"""
            ip link add vmd-0badc0de type bridge; ip link set vmd-0badc0de alias '0badc0de {home}'
            ip link add vmd-0badc0df type bridge; ip link set vmd-0badc0df alias '0badc0df /another/home'
            ip link add vmd-mine type bridge
            nft 'add element ip vmdeck publish {{ 127.0.0.9 . tcp . 99 comment "0badc0de {home}" : 172.30.0.2 . 30000 }}'
            nft 'add element ip vmdeck publish {{ 127.0.0.9 . tcp . 98 comment "x /another/home" : 172.30.0.2 . 30000 }}'
            """)
        self.addCleanup(self.world.sh, "ip link del vmd-0badc0df; ip link del vmd-mine")
        detail = self.left_over()["detail"]
        self.assertIn("2: ", detail)
        self.assertIn("link vmd-0badc0de", detail)
        self.assertIn("127.0.0.9 . tcp . 99", detail)
        out, err = self.deck.run("doctor", "--fix", code=None)
        self.assertEqual(err.count(b"removed: "), 2, err)
        self.assertEqual(self.left_over()["detail"], "none")
        links, table = self.world.sh("ip -br link"), self.world.sh("nft list table ip vmdeck")
        self.assertNotIn("vmd-0badc0de", links)
        for kept in ("vmd-0badc0df", "vmd-mine", f"vmd-{self.deck.vm('lives')['id']}"):
            self.assertIn(kept, links)
        self.assertIn("127.0.0.9 . tcp . 98", table)
        self.assertIn("127.0.0.1 . tcp . 8085", table)

    def left_over(self):
        checks = {c["name"]: c for c in json.loads(self.deck.run("doctor", "--json", code=None)[0])}
        self.assertEqual(checks["network bridged"]["status"], "found", checks["network bridged"])
        self.assertEqual(checks["network rootless"]["status"], "found", checks["network rootless"])
        return checks["network leftovers"]

    def test_keeper_and_vmm_killed(self):
        """Nobody is left to undo it: the next daemon does."""
        vm = self.boot("gone", "-p", "127.0.0.1:8086:80")
        keepers = running_program(BUILD / "vmdeck-net", self.deck.home)
        daemon = self.daemon()
        for pid in (daemon, *keepers, vm["pid"]):
            os.kill(pid, signal.SIGKILL)
        wait_for("all are gone", lambda: not any(map(alive, (daemon, *keepers, vm["pid"]))))
        self.assertIn("127.0.0.1 . tcp . 8086", self.world.sh("nft list table ip vmdeck"))
        self.deck.run("rm", "-f", "gone")
        self.nothing_left()

    def test_subnet_in_use(self):
        self.world.sh("ip route add 172.30.0.0/16 via 198.51.100.1")
        self.addCleanup(self.world.sh, "ip route del 172.30.0.0/16")
        self.assertIn("this host routes 172.30.0.0/16 elsewhere", self.deck.error("boot", "--net", "bridged"))


class Rootless(Networked, unittest.TestCase):
    mode, user = "rootless", True

    def test_not_root(self):
        vm = self.boot("who")
        with open(f"/proc/{vm['pid']}/status") as f:
            self.assertIn("\nUid:\t12345\t12345", f.read())
        self.assertIn("bridged networking is root's", self.deck.error("boot", "--net", "bridged"))
