"""The judgement's pictures: a frame with two scales, and lines, dots, bars and bands in it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidemill.pages import svg
from tidemill_runner.judgement.findings import number

_LEFT, _TOP, _FOOT = 52, 24, 40
_DASHES = 5

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Frame:
    """Where numbers lie in a picture of this size; `x` and `y` are the scales' ends."""

    title: str
    across: str
    up: str
    x: tuple[float, float]
    y: tuple[float, float]
    width: int = 300
    height: int = 260

    def place(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point; what is outside lies on the edge."""
        return (
            _LEFT + _share(x, self.x) * self.width,
            _TOP + (1 - _share(y, self.y)) * self.height,
        )

    def draw(self, *parts: str) -> str:
        """The whole picture."""
        foot, end = _TOP + self.height, _LEFT + self.width
        ticks = [
            svg.text(_LEFT, foot + 16, number(self.x[0]), "start"),
            svg.text(end, foot + 16, number(self.x[1]), "end"),
            svg.text(_LEFT + self.width / 2, foot + 32, self.across, "middle"),
            svg.text(_LEFT - 6, foot, number(self.y[0]), "end"),
            svg.text(_LEFT - 6, _TOP + 10, number(self.y[1]), "end"),
            svg.text(_LEFT, _TOP - 10, self.up, "start"),
        ]
        return "".join(
            [
                svg.opened(end + 14, foot + _FOOT, self.title),
                f'<path class="axis" d="M{_LEFT} {_TOP}V{foot}H{end}"/>',
                *parts,
                *ticks,
                "</svg>",
            ]
        )

    def line(self, points: Points, kind: str = "line") -> str:
        """A line through points."""
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in (self.place(*p) for p in points))
        return f'<path class="{kind}" d="M{path}"/>'

    def steady(self, low: Points, high: Points) -> str:
        """A band between two lines."""
        around = [self.place(*p) for p in [*high, *reversed(low)]]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in around)
        return f'<path class="band" d="M{path}Z"/>'

    def dots(self, points: Points, radius: float = 4) -> str:
        """A dot at each point."""
        return "".join(
            f'<circle class="cell" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>'
            for x, y in (self.place(*p) for p in points)
        )

    def upright(self, x: float, low: float, high: float) -> str:
        """An interval at a place."""
        (across, foot), (_, top) = self.place(x, low), self.place(x, high)
        return f'<path class="range" d="M{across:.1f} {foot:.1f}V{top:.1f}"/>'

    def bars(self, heights: Sequence[float]) -> str:
        """Bars of equal width over the whole scale."""
        wide = self.width / max(len(heights), 1)
        path = ""
        for place, height in enumerate(heights):
            if height > 0:
                _, top = self.place(self.x[0], height)
                start = _LEFT + place * wide
                path += f"M{start:.1f} {_TOP + self.height}V{top:.1f}h{max(wide - 1, 1):.1f}"
                path += f"V{_TOP + self.height}z"
        return f'<path class="cell" d="{path}"/>'


def kind_of(place: int) -> str:
    """The class of one of several lines."""
    return f"line l{place % _DASHES}"


def scale(values: Sequence[float]) -> tuple[float, float]:
    """Ends that hold all values with a little air."""
    low, high = min(values), max(values)
    air = (high - low) * 0.05 or abs(high) * 0.05 or 0.5
    return low - air, high + air


def _share(value: float, ends: tuple[float, float]) -> float:
    low, high = ends
    return min(max((value - low) / ((high - low) or 1.0), 0.0), 1.0)
