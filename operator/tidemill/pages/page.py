"""The form of every report: one HTML file, nothing from elsewhere, for light and dark screens."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

STYLE = Path(__file__).with_name("report.css")
# Verdicts, and pictures beside each other.
JUDGEMENT = Path(__file__).with_name("judgement.css")


def document(title: str, sections: Iterable[str], styles: Sequence[Path] = (STYLE,)) -> str:
    """The whole file; `sections` are HTML, `title` is text."""
    css = "".join(style.read_text(encoding="utf-8") for style in styles)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{css}</style></head>"
        f"<body>{''.join(sections)}</body></html>\n"
    )


def facts(title: str, known: Mapping[str, str]) -> str:
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td><code>{escape(value)}</code></td></tr>"
        for name, value in known.items()
    )
    return f"<h2>{escape(title)}</h2><table><tbody>{rows}</tbody></table>"


def cell(text: str, *, number: bool = False) -> str:
    """One cell of a table; numbers stand below each other."""
    return f'<td class="n">{escape(text)}</td>' if number else f"<td>{escape(text)}</td>"


def table(heads: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """`heads` are texts, one that begins with # heads numbers; `rows` are rows of cells in HTML.

    Each cell bears its head: on a narrow screen a row is a card, and there is no line of heads.
    """
    marks = [f'<td data-head="{escape(text.removeprefix("#"))}"' for text in heads]
    head = "".join(
        f'<th class="n">{escape(text[1:])}</th>' if text[:1] == "#" else f"<th>{escape(text)}</th>"
        for text in heads
    )
    body = "".join(
        f"<tr>{''.join(map(_headed, marks, cells))}</tr>"  # as many cells as heads
        for cells in rows
    )
    whole = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="wide"><table>{whole}</table></div>'


def _headed(mark: str, cell: str) -> str:
    return mark + cell.removeprefix("<td")
