"""A terminal's screen as SVG: from the lines of `tmux capture-pane -e` (text with SGR sequences). One rect a
background run, one text a style run; box drawing is drawn, so that lines join whatever the font."""
import dataclasses
import re
import unicodedata
from xml.sax.saxutils import escape

CELL_W, CELL_H, FONT, PAD = 8.4, 18, 14, 12
BASELINE = 13  # of a row, from its top
FG, BG = "#d4d7dc", "#16181d"
SIXTEEN = ("#23262d", "#e06c75", "#8fc379", "#e5c07b", "#6aa9f0", "#c58ae0", "#5fbcc4", "#bfc4cc",
           "#767d8a", "#ff8a93", "#aee397", "#ffdb94", "#92c5ff", "#dfaaf5", "#86dbe3", "#f5f7fa")
SGR = re.compile(r"\x1b\[([0-9;:]*)m|\x1b[()][0-9A-Za-z]|[\x0e\x0f]")
CUBE = (0, 95, 135, 175, 215, 255)
# Arms of a box character from the middle of its cell: left, right, up, down.
BOX = {"─": "lr", "│": "ud", "┌": "rd", "┐": "ld", "└": "ru", "┘": "lu",
       "├": "rud", "┤": "lud", "┬": "lrd", "┴": "lru", "┼": "lrud"}


@dataclasses.dataclass(frozen=True)
class Style:
    fg: str = ""
    bg: str = ""
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False

    def ink(self):
        return (self.bg or BG) if self.reverse else (self.fg or FG)

    def ground(self):
        return (self.fg or FG) if self.reverse else self.bg


def colour256(n):
    if n < 16:
        return SIXTEEN[n]
    if n < 232:
        n -= 16
        return "#%02x%02x%02x" % (CUBE[n // 36], CUBE[n // 6 % 6], CUBE[n % 6])
    return "#%02x%02x%02x" % ((8 + 10 * (n - 232),) * 3)


FLAGS = {1: {"bold": True}, 2: {"dim": True}, 3: {"italic": True}, 4: {"underline": True}, 7: {"reverse": True},
         22: {"bold": False, "dim": False}, 23: {"italic": False}, 24: {"underline": False}, 27: {"reverse": False}}


def colour_change(n, rest):
    """What parameter n (and for 38 and 48 those behind it, taken from rest) says of the colours."""
    ground = "bg" if n // 10 in (4, 10) else "fg"
    if n % 10 == 9:
        return {ground: ""}
    if n % 10 != 8:
        return {ground: SIXTEEN[n % 10 + (8 if n >= 90 else 0)]}
    kind = rest.pop(0)
    if kind == 5:
        return {ground: colour256(rest.pop(0))}
    red, green, blue = (rest.pop(0) for _ in range(3))
    return {ground: "#%02x%02x%02x" % (red, green, blue)}


def sgr(style, params):
    numbers = [int(p or 0) for p in re.split("[;:]", params)]
    while numbers:
        n = numbers.pop(0)
        if n == 0:
            style = Style()
        elif n in FLAGS:
            style = dataclasses.replace(style, **FLAGS[n])
        elif 30 <= n <= 49 or 90 <= n <= 97 or 100 <= n <= 107:
            style = dataclasses.replace(style, **colour_change(n, numbers))
    return style


def width(ch):
    if unicodedata.combining(ch):
        return 0
    return 2 if unicodedata.east_asian_width(ch) in "WF" else 1


def cells(line, style, cols):
    """[(text, style, columns)] of one line up to the last column, and the style at its end."""
    out, at = [], 0
    while at < len(line):
        m = SGR.match(line, at)
        if m:
            style = sgr(style, m.group(1)) if m.group(1) is not None else style
            at = m.end()
            continue
        w = width(line[at])
        if w == 0 and out:
            text, st, n = out[-1]
            out[-1] = (text + line[at], st, n)
        elif w:
            out.append((line[at], style, w))
        at += 1
    used = sum(n for _, _, n in out)
    return out + [(" ", Style(), 1)] * (cols - used), style


def runs(row, key):
    """[(column, columns, key, text)]: neighbours with an equal key together."""
    out, col = [], 0
    for text, style, n in row:
        k = key(text, style)
        if out and out[-1][2] == k and k is not None:
            begin, w, _, before = out[-1]
            out[-1] = (begin, w + n, k, before + text)
        else:
            out.append((col, n, k, text))
        col += n
    return [r for r in out if r[2]]


def num(v):
    return f"{v:.1f}".rstrip("0").rstrip(".")


def rect(col, row, w, h, colour, extra=""):
    return (f'<rect x="{num(PAD + col * CELL_W)}" y="{num(PAD + row)}" width="{num(w * CELL_W)}" height="{num(h)}" '
            f'fill="{colour}"{extra}/>')


def box_path(col, y, n, text, style):
    """n equal box characters in a row."""
    left, top = PAD + col * CELL_W, PAD + y
    mid_x, mid_y, arms = left + CELL_W / 2, top + CELL_H / 2, BOX[text[0]]
    d = ""
    if "l" in arms or "r" in arms:
        begin = left if "l" in arms else mid_x
        end = left + n * CELL_W if "r" in arms else left + (n - 0.5) * CELL_W
        d += f"M{num(begin)} {num(mid_y)}H{num(end)}"
    if "u" in arms or "d" in arms:
        for i in range(n):
            d += (f"M{num(mid_x + i * CELL_W)} {num(top if 'u' in arms else mid_y)}"
                  f"V{num(top + CELL_H if 'd' in arms else mid_y)}")
    return f'<path d="{d}" stroke="{style.ink()}" stroke-width="{1.6 if style.bold else 1}" fill="none"/>'


def attributes(style):
    out = f' fill="{style.ink()}"' if style.ink() != FG else ""
    out += ' font-weight="bold"' if style.bold else ""
    out += ' font-style="italic"' if style.italic else ""
    return out + (' opacity="0.6"' if style.dim else "")


def text_run(col, y, n, text, style):
    """Words that are far apart are texts of their own: columns line up in every font."""
    if len(text) == 1 and ord(text) > 127:
        return [f'<text x="{num(PAD + (col + n / 2) * CELL_W)}" y="{PAD + y + BASELINE}" text-anchor="middle"'
                f'{attributes(style)}>{escape(text)}</text>']
    out = []
    for m in re.finditer(r"\S+(?: \S+)*", text):
        out.append(f'<text x="{num(PAD + (col + m.start()) * CELL_W)}" y="{PAD + y + BASELINE}" '
                   f'textLength="{num(len(m.group()) * CELL_W)}" xml:space="preserve"'
                   f'{attributes(style)}>{escape(m.group())}</text>')
    return out


def ink_key(text, style):
    if text == " ":
        return ("text", style)
    if text in BOX:
        return ("box", text, style)
    return ("text", style) if ord(text[0]) < 128 else ("sign", text, style)


def draw_row(row, y):
    out = [rect(c, y, n, CELL_H, k) for c, n, k, _ in runs(row, lambda t, s: s.ground())]
    for c, n, key, text in runs(row, ink_key):
        if key[0] == "box":
            out.append(box_path(c, y, n, text, key[-1]))
        elif key[0] == "text":
            out += text_run(c, y, n, text, key[-1])
        else:
            step = n // len(text)
            for i, ch in enumerate(text):
                out += text_run(c + i * step, y, step, ch, key[-1])
    for c, n, k, _ in runs(row, lambda t, s: s.ink() if s.underline else ""):
        out.append(rect(c, y + BASELINE + 2, n, 1, k))
    return out


def svg(screen, cols, rows, cursor=None, title=""):
    """The picture of a screen; cursor: (column, row) or None."""
    w, h = cols * CELL_W + 2 * PAD, rows * CELL_H + 2 * PAD
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{num(w)}" height="{num(h)}" viewBox="0 0 {num(w)} {num(h)}">',
           f"<title>{escape(title)}</title>", ]
    style, body, grounds = Style(), [], []
    for i, line in enumerate(screen.split("\n")[:rows]):
        row, style = cells(line, style, cols)
        grounds.append(row[0][1].ground())
        body += draw_row(row, i * CELL_H)
    ground = max(set(grounds), key=grounds.count) or BG  # a theme with a ground of its own has it in the margin too
    out.append(f'<rect width="{num(w)}" height="{num(h)}" rx="8" fill="{ground}"/>')
    out.append(f'<g font-family="ui-monospace,\'DejaVu Sans Mono\',Menlo,Consolas,monospace" font-size="{FONT}" '
               f'fill="{FG}">')
    out += body
    if cursor:
        out.append(rect(cursor[0], cursor[1] * CELL_H, 1, CELL_H, FG if ground == BG else "#000000",
                        ' fill-opacity="0.55"'))
    return "\n".join(out + ["</g>", "</svg>", ""])
