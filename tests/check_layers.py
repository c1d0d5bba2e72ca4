#!/usr/bin/env python3
"""Proves that includes point one way only (DESIGN 1): every project include of every source is held
against the table below. A folder may include itself and what its row names."""
import pathlib
import re
import sys

ALLOWED = {
    "agent": {"agent"},
    "backend/base": {"backend/base"},
    "backend/vsock": {"backend/vsock", "backend/base/util.h"},
    "backend/events": {"backend/events", "backend/base"},
    "backend/api": {"backend/api", "backend/base", "agent/wire.h"},
    "backend/vmm": {"backend/vmm", "backend/base"},
    "backend/image": {"backend/image", "backend/base"},
    "backend/guest": {"backend/guest", "backend/base", "agent/wire.h"},
    "backend/rpc": {"backend/rpc", "backend/api/proto.h", "backend/api/proto.def", "backend/events", "backend/base"},
    "backend/snapshot": {"backend/snapshot", "backend/base"},
    "backend/health": {"backend/health", "backend/guest", "backend/base", "agent/wire.h"},
    "backend/net": {"backend/net", "backend/base"},
    "backend/net/keeper": {"backend/net", "backend/base"},
    "backend/vm": {"backend/vm", "backend/net/net.h", "backend/health", "backend/vmm", "backend/snapshot", "backend/events/timings.h", "backend/guest", "backend/image", "backend/base", "agent/wire.h"},
    "backend/record": {"backend/record", "backend/base"},
    "backend/replay": {"backend/replay", "backend/record", "backend/rpc", "backend/base", "agent/wire.h"},
    "backend/daemon": {"backend", "agent/wire.h"},
    "tui": {"tui", "backend/api/client.h", "backend/api/proto.h", "backend/record", "backend/base"},
    "tui/record": {"tui/record", "backend/api/client.h", "backend/api/proto.h", "backend/record", "backend/base"},
    "tui/cli": {"tui/cli", "backend/api/client.h", "backend/api/proto.h", "backend/base"},
    "tui/console": {"tui/console", "tui/record", "backend/api/client.h", "backend/api/proto.h", "backend/base"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def allowed(folder, target):
    return any(target == a or target.startswith(a + "/") for a in ALLOWED[folder])


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    bad, seen = [], 0
    for top in ("agent", "backend", "tui"):
        for path in sorted((root / top).rglob("*.[ch]")):
            folder = str(path.parent.relative_to(root))
            if folder not in ALLOWED:
                bad.append(f"{folder}: folder has no row in tests/check_layers.py")
                continue
            for n, line in enumerate(path.read_text().splitlines(), 1):
                m = INCLUDE.match(line)
                if not m:
                    continue
                seen += 1
                if not allowed(folder, m.group(1)):
                    bad.append(f"{path.relative_to(root)}:{n}: {folder} must not include {m.group(1)}")
    for b in sorted(set(bad)):
        print(b)
    print(f"check-layers: {seen} includes, {len(set(bad))} wrong")
    return 1 if bad else 0


sys.exit(main())
