"""A small internet for a test: HTTP that answers with the client's address, a DNS server that knows
one name, a UDP echo. `world_server.py ADDRESS NAME`; says "ready" and ends with its stdin."""
import http.server
import socket
import struct
import sys
import threading

ADDRESS, NAME = sys.argv[1:3]


class Http(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"hello {self.client_address[0]}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def asked_name(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    return ".".join(labels), query[12:at + 5], struct.unpack(">H", query[at + 1:at + 3])[0]


def dns_answer(query):
    name, question, kind = asked_name(query)
    known = name.rstrip(".") == NAME
    found = known and kind == 1
    head = query[:2] + struct.pack(">HHHHH", 0x8580 if known else 0x8583, 1, int(found), 0, 0)
    record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 5, 4) + socket.inet_aton(ADDRESS)
    return head + question + (record if found else b"")


def serve_udp(port, answer):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((ADDRESS, port))

    def loop():
        while True:
            data, peer = s.recvfrom(4096)
            try:
                s.sendto(answer(data), peer)
            except (IndexError, struct.error, UnicodeDecodeError):
                pass
    threading.Thread(target=loop, daemon=True).start()


serve_udp(53, dns_answer)
serve_udp(7, lambda data: b"echo " + data)
web = http.server.ThreadingHTTPServer((ADDRESS, 80), Http)
threading.Thread(target=web.serve_forever, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
