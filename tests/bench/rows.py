"""Keys and events in the console with many rows (tests/bench/rows.c), each against the 16 ms of a frame."""
import subprocess

from decklib import BUILD
from measure import row

FRAME_MS = 16


def bench_rows(count=10000):
    out = subprocess.run([BUILD / "bench-rows", str(count)], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        median, slowest, name = line.split(" ", 2)
        median, slowest = float(median), float(slowest)
        if name == "load all":
            row(f"{count} rows: load all; ratio to 10 x a tenth of them", f"{median:.1f} ms", median / slowest, 1.5)
        else:
            row(f"{count} rows: {name}, slowest", f"{max(median, slowest):.2f} ms (median {median:.2f})",
                max(median, slowest) / FRAME_MS, 1)
