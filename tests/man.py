"""The manual pages, from what the programs say of themselves: tui/man/vmdeck.1, vmdeck.conf.5, vmdeckd.8."""
import json
import re
import subprocess

KEYS = re.compile(r"`([^`]+)`")


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga").replace("^", "\\(ha")
    return text.replace("~", "\\(ti")


def lines(text):
    """Text lines; none begins with what groff takes for a request."""
    return "\n".join("\\&" + roff(line) if line[:1] in (".", "'") else roff(line) for line in text.split("\n"))


def item(head, text):
    return f".TP\n.B {roff(head)}\n{lines(text)}\n"


def page(name, section, what, *parts):
    head = f'.\\" Made by make docs.\n.TH {name.upper()} {section} "" vmdeck\n.SH NAME\n{name} \\- {roff(what)}\n'
    return head + "".join(f".SH {title}\n{body}" for title, body in parts)


def command(text):
    """One command, from its --help."""
    usage = re.search(r"^usage: (.*)$", text, re.M).group(1)
    before, options = text.split("\noptions:\n")
    details = before.split(usage, 1)[1].strip()
    out = f".SS {roff(usage)}\n{lines(text.split(': ', 1)[1].splitlines()[0])}\n"
    if details:
        out += f".PP\n.nf\n{lines(details)}\n.fi\n"
    for line in options.splitlines():
        head, said = re.match(r"^ +(.*?)  +(.*)$", line).groups()
        if head != "-h, --help":
            out += item(head, said)
    return out


def keys(table):
    out = ""
    for row in table.splitlines()[2:]:
        found, name, does = [c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\)\|", row)[1:-1]]
        out += item("  ".join(KEYS.findall(found) + KEYS.findall(name)), does)
    return out


def options(all_options):
    out = ""
    for section in dict.fromkeys(o["section"] for o in all_options):
        out += f".SS [{section}]\n"
        for o in (o for o in all_options if o["section"] == section):
            start = " Taken when the console starts." if o["at_start_only"] else ""
            out += item(o["option"], f"{o['help']}. Takes {o['takes']}; default: {o['default'] or 'none'}.{start}")
    return out


def daemon(text):
    usage, about, *rest = text.splitlines()
    out = "".join(item(*re.match(r"^ +(.*?)  +(.*)$", line).groups()) for line in rest if line.strip())
    return usage.removeprefix("usage: "), about, out


def pages(build, printed):
    """Name and text of each."""
    names = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", printed(build, "help").split("commands:\n")[1], re.M)
    said = subprocess.run([build / "vmdeckd", "--help"], check=True, capture_output=True, text=True, timeout=60)
    usage, about, flags = daemon(said.stdout or said.stderr)
    yield "vmdeck.1", page(
        "vmdeck", 1, "a control deck for microVMs",
        ("SYNOPSIS", ".B vmdeck\n.br\n.B vmdeck\n.I COMMAND\n[\\fIOPTIONS\\fR] ...\n"),
        ("DESCRIPTION", "Without a command the console opens: one screen over the VMs of this host.\n"),
        ("COMMANDS", "".join(command(printed(build, *n.split(), "--help")) for n in names)),
        ("KEYS", "Of the console; what begins with a colon is typed as a command.\n" +
         keys(printed(build, "console", "--keys"))),
        ("EXIT STATUS", "0 done, 1 failed, 2 usage; of exec and shell: the command\\(aqs.\n"),
        ("SEE ALSO", ".BR vmdeck.conf (5),\n.BR vmdeckd (8)\n"))
    yield "vmdeck.conf.5", page(
        "vmdeck.conf", 5, "options of the console of vmdeck",
        ("SYNOPSIS", lines("$XDG_CONFIG_HOME/vmdeck/vmdeck.conf\n~/.config/vmdeck/vmdeck.conf\n").replace("\n", "\n.br\n", 1)),
        ("DESCRIPTION", lines("Lines 'option = value' in the sections below. Flags and environment (VMDECK_THEME, NO_COLOR) "
                              "win over the file,\n':set NAME=VALUE' wins until the file states it anew. A console that runs "
                              "reads the file again when it changes.\nWrong lines are told with file and line, and left "
                              "out: 'vmdeck config \\-\\-check'.\n".replace("\\-", "-"))),
        ("OPTIONS", options(json.loads(printed(build, "config", "--json", "/dev/null")))),
        ("SEE ALSO", ".BR vmdeck (1)\n"))
    yield "vmdeckd.8", page(
        "vmdeckd", 8, "the daemon of vmdeck", ("SYNOPSIS", f".B {roff(usage)}\n"), ("DESCRIPTION", lines(about) + "\n"),
        ("OPTIONS", flags), ("SEE ALSO", ".BR vmdeck (1)\n"))
