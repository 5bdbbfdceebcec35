"""The pieces that every picture is made of."""

from html import escape


def opened(width: float, height: float, title: str) -> str:
    """The start of a picture; the caller closes it with `</svg>`."""
    return (
        f'<svg width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'role="img"><title>{escape(title)}</title>'
    )


def text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def short(label: object, length: int) -> str:
    words = str(label)
    return words if len(words) <= length else words[: length - 1] + "…"
