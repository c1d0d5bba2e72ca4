#!/usr/bin/env python3
"""Writes the tables between the markers of README.md, or with --check says whether they are as they should be. Commands
come from `vmdeck help --markdown`, keys from the console's one table of actions (tui/console/actions.def)."""
import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ACTION = re.compile(r'^ACTION\((\w+), "([^"]*)", ([\w |]+), "([^"]*)", (\w+), ([\w |]+), "([^"]*)",?\s*"([^"]*)"\)', re.M)


def command_table(build):
    return subprocess.run([build / "vmdeck", "help", "--markdown"], check=True, capture_output=True, text=True).stdout


def key_table():
    rows = ["| Key | `:` command | Does |", "|---|---|---|"]
    text = (ROOT / "tui" / "console" / "actions.def").read_text()
    actions = ACTION.findall(text)
    if len(actions) != len(re.findall(r"^ACTION\(", text, re.M)):
        raise SystemExit("tests/docs.py does not understand every row of actions.def")
    for _, name, where, keys, *_, does in actions:
        prefix = "C-] " if where.strip() == "GUEST" else ""
        shown = ", ".join(f"`{prefix}{k}`" for k in keys.split()) or "-"
        rows.append(f"| {shown} | `{name}` | {does} |".replace("`|`", "`\\|`"))
    return "\n".join(rows) + "\n"


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
    new = filled(filled(old, "commands", command_table((ROOT / args.build).resolve())), "keys", key_table())
    if args.check:
        if new != old:
            print("README.md is out of date: run 'make docs'")
        return new != old
    readme.write_text(new)
    return 0


sys.exit(main())
