"""Read-only: the console and the commands refuse what changes anything, and so does the daemon."""
from decklib import BUILD, DeckCase, DeckError
from tmuxlib import Terminal


class ReadOnly(DeckCase):
    process = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.deck.boot("web", "--", "sh", "-c", "echo hello-from-web; exec sleep 1000")

    def test_commands(self):
        deck = self.deck
        self.assertIn("web", deck.text("--read-only", "ls"))
        self.assertIn("hello-from-web", deck.text("--read-only", "logs", "web"))
        for args in (["pause", "web"], ["kill", "web"], ["boot"], ["snapshot", "web", "s"], ["daemon", "stop"]):
            self.assertIn("read-only connection", deck.error("--read-only", *args))
        # A stream is a connection of its own: it is told too.
        self.assertIn("read-only connection", deck.error("--read-only", "exec", "web", "--", "true", code=125))
        self.assertEqual("running", deck.vm("web")["state"])

    def test_environment(self):
        self.deck.env["VMDECK_READ_ONLY"] = "1"
        try:
            self.assertIn("read-only connection", self.deck.error("kill", "web"))
        finally:
            del self.deck.env["VMDECK_READ_ONLY"]

    def test_attach_without_keys(self):
        t = Terminal([BUILD / "vmdeck", "--read-only", "attach", "web"], self.deck.env)
        self.addCleanup(t.close)
        t.wait("hello-from-web")
        t.keys("C-c")
        t.wait_exit(0)

    def test_daemon_refuses(self):
        rpc = self.deck.rpc()
        self.addCleanup(rpc.close)
        rpc.call("hello", protocol=1, read_only=True)
        rpc.call("hello", protocol=1)
        for method in ("vm.kill", "vm.attach", "vm.stop"):
            with self.assertRaisesRegex(DeckError, "read-only connection"):
                rpc.call(method, vm="web")
        self.assertEqual("running", rpc.call("vm.get", vm="web")["state"])

    def test_console(self):
        t = Terminal([BUILD / "vmdeck", "--read-only"], self.deck.env, cols=80, rows=24)
        self.addCleanup(t.close)
        t.wait(lambda s: "READ-ONLY" in s and "hello-from-web" in s)
        for key, name in (("X", "kill"), ("b", "boot"), ("a", "attach"), ("e", "exec"), ("p", "pause")):
            t.keys(key)
            t.wait(f"{name}: this console is read-only")
        t.type(":kill")
        t.keys("Enter")
        t.wait("kill: this console is read-only")
        t.keys("Q")
        t.wait_exit(0)
        self.assertEqual("running", self.deck.vm("web")["state"])
