#!/usr/bin/env python3
"""Writes the tables between the markers of README.md, or with --check says whether they are as they should be. Both
come from the program: `vmdeck help --markdown` and `vmdeck console --keys`."""
import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def printed(build, *argv):
    return subprocess.run([build / "vmdeck", *argv], check=True, capture_output=True, text=True).stdout


def filled(text, marker, table):
    pattern = re.compile(rf"(<!-- {marker}:[^>]*-->\n).*?(<!-- /{marker} -->)", re.S)
    if not pattern.search(text):
        raise SystemExit(f"README.md has no marker '{marker}'")
    return pattern.sub(lambda m: m.group(1) + table.strip("\n") + "\n" + m.group(2), text)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--build", default="build/dev", type=pathlib.Path)
    ap.add_argument("--check", action="store_true")
    args = ap.parse_args()
    readme = ROOT / "README.md"
    old = readme.read_text()
    build = (ROOT / args.build).resolve()
    new = filled(old, "commands", printed(build, "help", "--markdown"))
    new = filled(new, "keys", printed(build, "console", "--keys"))
    if args.check:
        if new != old:
            print("README.md is out of date: run 'make docs'")
        return new != old
    readme.write_text(new)
    return 0


sys.exit(main())
