"""Lines on two logarithmic axes, as SVG: for documents, in light and in dark, without fonts."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

WIDTH, HEIGHT = 440, 300  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 58, 118, 40, 46  # around its lines; the right has their names
ACROSS = 2
LABEL, NUMBER = 15.0, 40.0  # the least distance of names, and of numbers side by side
DECIMAL = 10.0
# Colours that most eyes tell apart, each with a mark of its own.
STYLE = """
    .t { fill: #12293b } .s { fill: #4a6375; font-size: 12px } .g { stroke: #d5dee6 }
    .l0 { stroke: #1f6fb2 } .l1 { stroke: #1f8a63 } .l2 { stroke: #b05a10 }
    .n0, .m0 { fill: #1f6fb2 } .n1, .m1 { fill: #1f8a63 } .n2, .m2 { fill: #b05a10 }
    .l { fill: none; stroke-width: 2 } .n { font-size: 12.5px }
    @media (prefers-color-scheme: dark) {
      .t { fill: #eaf3fa } .s { fill: #b3c6d4 } .g { stroke: #33475a }
      .l0 { stroke: #7fb9ea } .l1 { stroke: #6fcfa4 } .l2 { stroke: #f0a868 }
      .n0, .m0 { fill: #7fb9ea } .n1, .m1 { fill: #6fcfa4 } .n2, .m2 { fill: #f0a868 }
    }
"""
COLOURS = 3


@dataclass(frozen=True)
class Line:
    """One of those compared; `look` (0 to 2) is the same in all panels."""

    name: str
    points: Sequence[tuple[float, float]]
    look: int


@dataclass(frozen=True)
class Panel:
    """One picture: what goes up, over what."""

    title: str
    below: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class Axis:
    """From a number to a place: as far for each factor of ten."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def powers(self) -> list[float]:
        """The powers of ten on it."""
        first, last = (math.log10(end) for end in (self.low, self.high))
        return [DECIMAL**power for power in range(math.ceil(first), math.floor(last) + 1)]


def decades(values: Iterable[float]) -> tuple[float, float]:
    """The powers of ten around them."""
    every = list(values)
    low, high = math.floor(math.log10(min(every))), math.ceil(math.log10(max(every)))
    return DECIMAL**low, DECIMAL ** max(high, low + 1)


def apart(places: Sequence[float], least: float = LABEL) -> list[float]:
    """Places as near as can be to these, in their order, none nearer to another than `least`."""
    order = sorted(range(len(places)), key=lambda one: places[one])
    found = [places[one] for one in order]
    for _ in range(10 * len(found)):  # each pair moves its neighbours
        for upper in range(1, len(found)):
            lacking = least - (found[upper] - found[upper - 1])
            if lacking > 0:
                found[upper - 1] -= lacking / 2
                found[upper] += lacking / 2
    put = dict(zip(order, found, strict=True))
    return [put[one] for one in range(len(places))]


def drawing(panels: Sequence[Panel], about: str) -> str:
    """The whole; `about` is read aloud to who does not see it."""
    rows = math.ceil(len(panels) / ACROSS)
    size = f"0 0 {ACROSS * WIDTH} {rows * HEIGHT}"
    told = f'role="img" aria-label={quoteattr(about)} font-family="system-ui, sans-serif"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" font-size="14" {told}>',
        f"  <style>{STYLE}  </style>",
    ]
    for number, panel in enumerate(panels):
        across, down = number % ACROSS * WIDTH, number // ACROSS * HEIGHT
        parts += [f'  <g transform="translate({across} {down})">', *_panel(panel), "  </g>"]
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel) -> list[str]:
    lines = [line for line in panel.lines if line.points]
    xs = sorted({x for line in lines for x, _ in line.points})
    across = Axis(xs[0], max(xs[-1], 2 * xs[0]), LEFT, WIDTH - RIGHT)
    bounds = decades(y for line in lines for _, y in line.points)
    up = Axis(*bounds, HEIGHT - BOTTOM, TOP)
    found = [f'<text class="t" x="{LEFT}" y="22">{escape(panel.title)}</text>']
    for power in up.powers():
        y = up.place(power)
        found.append(f'<path class="g" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        text = f'<text class="s" text-anchor="end" x="{LEFT - 8}" y="{y + 4:.1f}">'
        found.append(f"{text}{number_text(power)}</text>")
    for x in _readable(xs, across):
        text = f'<text class="s" text-anchor="middle" x="{across.place(x):.1f}"'
        found.append(f'{text} y="{HEIGHT - BOTTOM + 18}">{number_text(x)}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    text = f'<text class="s" text-anchor="middle" x="{middle:.1f}" y="{HEIGHT - 8}">'
    found.append(f"{text}{escape(panel.below)}</text>")
    ends: list[_End] = []
    for line in lines:
        places = [(across.place(x), up.place(y)) for x, y in sorted(line.points)]
        ends.append(_End(line, *places[-1], falls=places[-1][1] > places[0][1]))
        joined = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        found.append(f'<path class="l l{line.look}" d="M{joined}"/>')
        found += [_mark(line.look, x, y) for x, y in places]
    return [f"    {one}" for one in (*found, *_names(ends))]


def _readable(values: Sequence[float], axis: Axis) -> list[float]:
    """Those of which the numbers have room, the last in any case."""
    kept: list[float] = []
    for value in reversed(values):
        if not kept or axis.place(kept[-1]) - axis.place(value) >= NUMBER:
            kept.append(value)
    return kept


@dataclass(frozen=True)
class _End:
    """Where a line ends, and whether it came from above."""

    line: Line
    x: float
    y: float
    falls: bool


def _names(ends: Sequence[_End]) -> list[str]:
    """Beside where the lines end; before that, on the side from which a line does not come."""
    last = max(end.x for end in ends)
    full = [end for end in ends if end.x == last]
    found = [
        _name(end.line, f'x="{end.x + 10:.1f}" y="{height + 4:.1f}"')
        for end, height in zip(full, apart([end.y for end in full]), strict=True)
    ]
    for end in ends:
        if end.x < last:
            y = end.y + (19 if end.falls else -9)
            found.append(_name(end.line, f'text-anchor="end" x="{end.x + 4:.1f}" y="{y:.1f}"'))
    return found


def _name(line: Line, at: str) -> str:
    return f'<text class="n n{line.look}" {at}>{escape(line.name)}</text>'


def _mark(look: int, x: float, y: float) -> str:
    forms = (
        f"M{x - 3.5:.1f} {y:.1f}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z",
        f"M{x - 3.2:.1f} {y - 3.2:.1f}h6.4v6.4h-6.4z",
        f"M{x:.1f} {y - 4.4:.1f}l4.4 7.6h-8.8z",
    )
    return f'<path class="m{look}" d="{forms[look]}"/>'


def number_text(value: float) -> str:
    """With a thin space between thousands, as people read it."""
    return f"{value:,.0f}".replace(",", "\u2009") if value >= 1 else f"{value:g}"
