#!/usr/bin/env python3
"""Writes the tables between the markers of README.md, or with --check says whether they are as they should be. Both
come from the program: `vmdeck help --markdown` and `vmdeck console --keys`. So do the manual pages of tui/man."""
import argparse
import pathlib
import re
import subprocess
import sys

import man

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
    build = (ROOT / args.build).resolve()
    new = filled(readme.read_text(), "commands", printed(build, "help", "--markdown"))
    new = filled(new, "keys", printed(build, "console", "--keys"))
    files = {readme: new, **{ROOT / "tui" / "man" / name: text for name, text in man.pages(build, printed)}}
    wrong = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    if args.check:
        for path in wrong:
            print(f"{path.relative_to(ROOT)} is out of date: run 'make docs'")
        return bool(wrong)
    for path in wrong:
        path.write_text(files[path])
    return 0


sys.exit(main())
