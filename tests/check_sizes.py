#!/usr/bin/env python3
"""Proves that rooms are small: files under 600 lines (tests too), functions never over 100 lines and 90 %
of them within 45. A function is what lies between a '{' and a '}' in column 0."""
import pathlib
import sys

FILE_MAX, FUNCTION_MAX, P90_MAX = 600, 100, 45


def functions(lines):
    start = name = None
    for n, line in enumerate(lines):
        if line.startswith("{") and n and lines[n - 1].rstrip().endswith(")"):
            start, name = n, lines[n - 1].strip()
        elif line.startswith("}") and start is not None:
            yield n - start + 1, start + 1, name
            start = None


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    bad, lengths = [], []
    for top in ("agent", "backend", "tui", "tests"):
        for path in sorted((root / top).rglob("*.[ch]")):
            lines = path.read_text().splitlines()
            rel = path.relative_to(root)
            if len(lines) > FILE_MAX:
                bad.append(f"{rel}: {len(lines)} lines, at most {FILE_MAX}")
            for length, at, name in functions(lines):
                lengths.append(length)
                if length > FUNCTION_MAX:
                    bad.append(f"{rel}:{at}: {length} lines, at most {FUNCTION_MAX}: {name}")
    lengths.sort()
    p90 = lengths[len(lengths) * 9 // 10] if lengths else 0
    if p90 > P90_MAX:
        bad.append(f"p90 of all functions is {p90} lines, at most {P90_MAX}")
    for b in bad:
        print(b)
    print(f"check-sizes: {len(lengths)} functions, median {lengths[len(lengths) // 2] if lengths else 0}, "
          f"p90 {p90}, longest {lengths[-1] if lengths else 0}; {len(bad)} too large")
    return 1 if bad else 0


sys.exit(main())
