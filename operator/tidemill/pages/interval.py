"""A value with its interval as a small picture in a table."""


def interval(
    value: float, low: float, high: float, scale: tuple[float, float], *, zero: bool = False
) -> str:
    """A value and its interval on a scale, on which zero is marked if wanted."""
    start, end = scale
    span = (end - start) or 1.0

    def place(number: float) -> float:
        return 4 + (min(max(number, start), end) - start) / span * 152

    return (
        '<svg width="160" height="16" viewBox="0 0 160 16" aria-hidden="true">'
        f'<path class="axis" d="M4 8H156{f"M{place(0):.1f} 1V15" if zero else ""}"/>'
        f'<path class="range" d="M{place(low):.1f} 8H{place(high):.1f}"/>'
        f'<circle class="cell" cx="{place(value):.1f}" cy="8" r="4"/></svg>'
    )
