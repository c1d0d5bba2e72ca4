"""A host of its own for a test, with one way out to an internet of its own: two network namespaces
and a mount namespace that end with this process."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from decklib import BUILD, IMAGE_HOME, Deck, DeckError, build_shared_image

SERVER = "203.0.113.9"
NAME = "server.test"
USER = 12345  # an ordinary account: needs no entry in /etc/passwd
AS_USER = ["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups", "--"]


class Holder:
    """A process in new namespaces that ends when this one closes its stdin."""

    def __init__(self, flags):
        self.p = subprocess.Popen(["unshare", flags, "--propagation", "private", "sh", "-c", "echo; exec cat"]
                                  if "m" in flags else ["unshare", flags, "sh", "-c", "echo; exec cat"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.p.stdout.readline()

    def enter(self, *args):
        return ["nsenter", "-t", str(self.p.pid), *args, "--"]

    def close(self):
        self.p.stdin.close()
        self.p.wait(10)
        self.p.stdout.close()


class World:
    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="world-"))
        os.chmod(self.dir, 0o755)
        self.host, self.outside, self.server = Holder("-nm"), Holder("-n"), None
        try:
            self.set_up()
        except BaseException:
            self.close()
            raise

    def set_up(self):
        self.sh("ip link set lo up; ip link add out0 type veth peer name in0 netns "
                f"{self.outside.p.pid}; ip addr add 198.51.100.2/24 dev out0; ip link set out0 up")
        self.run(self.outside.enter("-n"), "ip link set lo up; ip addr add 198.51.100.1/24 dev in0; "
                 f"ip link set in0 up; ip addr add {SERVER}/32 dev lo")
        self.sh("ip route add default via 198.51.100.1")
        self.resolvers(f"nameserver {SERVER}\nsearch test\n")
        self.sh(f"mount --bind {self.dir}/resolv.conf /etc/resolv.conf; "
                "test ! -d /run/systemd/resolve || mount -t tmpfs none /run/systemd/resolve; "
                f"mknod -m 666 {self.dir}/tun c 10 200; mount --bind {self.dir}/tun /dev/net/tun")
        script = pathlib.Path(__file__).resolve().parent.parent / "support" / "world_server.py"
        self.server = subprocess.Popen([*self.outside.enter("-n"), sys.executable, str(script), SERVER, NAME],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.server.stdout.readline() != b"ready\n":
            raise DeckError("the world's server did not start")

    def resolvers(self, text):
        """In place: the file is mounted over the host's."""
        with open(self.dir / "resolv.conf", "w") as f:
            f.write(text)

    @staticmethod
    def run(prefix, script, check=True):
        p = subprocess.run([*prefix, "sh", "-ec", script], capture_output=True, text=True, timeout=60)
        if check and p.returncode:
            raise DeckError(f"{script}: {p.stdout} {p.stderr}")
        return p.stdout

    def sh(self, script, check=True):
        """stdout of a script on the world's host."""
        return self.run(self.host.enter("-n", "-m"), script, check)

    def inside(self, pid, script):
        """The same in the namespaces of a VMM."""
        same = os.readlink(f"/proc/{pid}/ns/user") == os.readlink("/proc/self/ns/user")
        who = [] if same else AS_USER
        user = [] if same else ["-U", "--preserve-credentials"]
        return self.run([*who, "nsenter", "-t", str(pid), *user, "-n", "--"], script)

    def python(self, script, *args):
        """stdout of a Python program on the world's host; None when it fails."""
        p = subprocess.run([*self.host.enter("-n"), sys.executable, "-c", script, *map(str, args)],
                           capture_output=True, text=True, timeout=60)
        return p.stdout if p.returncode == 0 else None

    def fetch(self, address, port, limit=5):
        """Body of http://ADDRESS:PORT/ as the world's host gets it; None: no answer."""
        return self.python("import sys, urllib.request as u\n"
                           "print(u.urlopen(f'http://{sys.argv[1]}:{sys.argv[2]}/', timeout=int(sys.argv[3]))"
                           ".read().decode(), end='')", address, port, limit)

    def datagram(self, address, port, text):
        """The answer to a datagram; None: none came."""
        return self.python("import socket, sys\n"
                           "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                           "s.settimeout(5)\n"
                           "s.sendto(sys.argv[3].encode(), (sys.argv[1], int(sys.argv[2])))\n"
                           "print(s.recv(1000).decode(), end='')", address, port, text)

    def hold_port(self, address, port):
        """A process that listens there until its stdin is closed."""
        p = subprocess.Popen([*self.host.enter("-n"), sys.executable, "-c",
                              "import socket, sys\n"
                              "s = socket.create_server((sys.argv[1], int(sys.argv[2])))\n"
                              "print(flush=True)\nsys.stdin.read()", address, str(port)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        p.stdout.readline()
        return p

    def leftovers(self):
        """What a VM's network may have left on the host, as text."""
        return (self.sh("ip -br link | grep ^vmd- || true; nft list tables; ip rule | grep -v lookup || true; "
                        "grep -a vmdeck-net- /proc/net/unix || true")).strip()

    def close(self):
        if self.server:
            self.server.stdin.close()
            self.server.wait(10)
            self.server.stdout.close()
        self.host.close()
        self.outside.close()
        shutil.rmtree(self.dir)


class WorldDeck(Deck):
    """A deck whose daemon lives in a world; user: under an ordinary account, with programs it can read."""

    def __init__(self, world, user=False):
        super().__init__(image=not user)
        self.world = world
        self.prefix = world.host.enter("-n", "-m")
        if user:
            self.become_user()

    def become_user(self):
        build_shared_image()
        os.chmod(self.dir.parent, 0o711)
        for p in ("vmdeck", "vmdeckd", "vmdeck-net", "vmdeck-agent", "vmdeck-vsock.so"):
            (self.dir / "bin").mkdir(exist_ok=True)
            shutil.copy(BUILD / p, self.dir / "bin" / p)
        shutil.copytree(IMAGE_HOME / "images", self.home / "images", symlinks=True)
        self.runtime.mkdir(mode=0o700)
        subprocess.run(["chown", "-R", f"{USER}:{USER}", str(self.dir)], check=True)
        self.prefix += AS_USER
        self.program = str(self.dir / "bin" / "vmdeck")
