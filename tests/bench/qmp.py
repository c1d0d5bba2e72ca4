"""QEMU's monitor, spoken to by hand."""
import json
import socket
import struct

from decklib import DeckError


class Qmp:
    """The monitor: commands may be sent ahead of the greeting, QEMU takes them one after the other."""

    def __init__(self, sock):
        self.sock, self.data = sock, b""
        sock.sendall(b'{"execute": "qmp_capabilities"}\n')
        self.sent = 1

    def send(self, *commands, fd=None):
        data = b"".join(json.dumps(c).encode() + b"\n" for c in commands)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", fd))] if fd is not None else []
        self.sock.sendmsg([data], rights)
        self.sent += len(commands)

    def next(self):
        while b"\n" not in self.data:
            more = self.sock.recv(65536)
            if not more:
                raise EOFError("QEMU closed its monitor")
            self.data += more
        line, self.data = self.data.split(b"\n", 1)
        message = json.loads(line)
        if "error" in message:
            raise DeckError(f"QEMU: {message['error']['desc']}")
        self.sent -= "return" in message
        return message

    def answered(self):
        """All commands sent were done."""
        while self.sent:
            self.next()

    def migrated(self):
        while True:
            message = self.next()
            if message.get("event") == "MIGRATION":
                status = message["data"]["status"]
                if status == "completed":
                    return
                if status == "failed":
                    raise DeckError("QEMU: the migration failed")
