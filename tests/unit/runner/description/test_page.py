"""The page that describes a version: complete, self-contained, escaped, small, discreet."""

import datetime as dt
import random
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from tests.unit.runner.profile.tables import profile, profile_of, table

from tidemill_runner.description.page import Description, render
from tidemill_runner.profile.document import Profile
from tidemill_runner.profile.measure import Grouping
from tidemill_runner.schema import ColumnType

HOSTILE = "<script>alert('x')</script>\"&"
VOID = {"meta", "path", "rect", "circle", "br"}
CHECKS: list[dict[str, Any]] = [
    {"name": "enough", "kind": "RowCount", "severity": "Fail", "passed": True, "message": "fine"},
    {
        "name": "near",
        "kind": "Range",
        "column": "x",
        "severity": "Warn",
        "evaluated": 1000,
        "violations": 1,
        "fraction": 0.0001,
        "passed": False,
        "where": [{"object": "part-0.csv", "row": 7}],
        "message": "out of range, the first at part-0.csv, row 7",
    },
    {"name": "no-gaps", "kind": "NotNull", "severity": "Fail", "passed": False, "message": HOSTILE},
]


class Page(HTMLParser):
    """Proves that tags nest, and keeps texts, tags and attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


def described(given: Profile, **more: Any) -> Description:
    why = "ingested because objects changed"
    return Description("ml/power", "sha256:abc", why, 12_345, given, **more)


def mixed(rows: int = 400, shift: float = 0) -> Profile:
    rng = random.Random(rows)
    kinds = {
        "price": ColumnType.FLOAT,
        HOSTILE: ColumnType.STRING,
        "note": ColumnType.STRING,
        "flag": ColumnType.BOOLEAN,
        "day": ColumnType.DATE,
        "code": ColumnType.INTEGER,
        "wild": ColumnType.FLOAT,
        "list": ColumnType.OTHER,
        "iban": ColumnType.STRING,
    }
    prices = [rng.gauss(50 + shift, 5) if n % 10 else None for n in range(rows)]
    columns: dict[str, list[Any]] = {
        "price": prices,
        HOSTILE: [f"<b>{rng.randrange(3)}</b>" for _ in range(rows)],
        "note": [f"<i>{rng.random()}" for _ in range(rows)],
        "flag": [rng.random() < 0.5 for _ in range(rows)],
        "day": [dt.date(2024, 1, 1) + dt.timedelta(days=n % 50) for n in range(rows)],
        "code": [2 * (n % 3) for n in range(rows)],
        "wild": [10 ** rng.uniform(-300, 300) for _ in range(rows)],
        "list": [[n] for n in range(rows)],
        "iban": [f"DE-secret-{n}" for n in range(rows)],
    }
    given = table(kinds, columns, ["part.csv"] * rows)
    return profile(given, kinds, ["iban"], Grouping((HOSTILE,), "flag"))


def test_it_says_what_there_is() -> None:
    references = {HOSTILE: {"<b>0</b>": 0.9}}
    page = Page(render(described(mixed(), checks=CHECKS, references=references)))
    for expected in (
        "ml/power",
        "ingested because objects changed",
        "12,345",
        "2 of 3 did not pass.",
        "part-0.csv, row 7",
        "< 0.1 %",
        "under",
        "40 (10.0 %)",
        "2024-02-19",
        "String, sensitive",
        "by day",
        "logarithmic",
    ):
        assert expected in page.text
    assert page.text.index("no-gaps") < page.text.index("near") < page.text.index("enough")


def test_a_place_is_told_once_and_in_words() -> None:
    text = Page(render(described(mixed(), checks=CHECKS))).text
    assert text.count("part-0.csv, row 7") == 1
    assert "{'" not in text


def test_on_a_narrow_screen_each_cell_bears_its_head() -> None:
    html = render(described(mixed(), checks=CHECKS))
    for part in html.split('<div class="wide">')[1:]:
        rows = part.split("<tbody>")[1].split("</tbody>")[0]
        assert rows.count("<td") == rows.count("<td data-head=")


def test_it_needs_nothing_from_elsewhere_and_no_script() -> None:
    html = render(described(mixed(), checks=CHECKS, previous=mixed(shift=40)))
    page = Page(html)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    names = {name for name, _ in page.attributes}
    assert not {"src", "onload", "onclick", "style"} & names
    assert all(str(v).startswith("#c") for name, v in page.attributes if name == "href")
    assert not re.search(r"url\(|@import|https?:", html)
    assert "prefers-color-scheme:dark" in html
    assert 'name="viewport"' in html


def test_every_text_is_escaped() -> None:
    given = described(mixed(), checks=CHECKS, previous=mixed(shift=40))
    hostile = Description(HOSTILE, HOSTILE, HOSTILE, 1, given.profile, CHECKS, given.previous)
    page = Page(render(hostile))
    assert not {"script", "b", "i"} & set(page.tags)
    assert page.text.count(HOSTILE) >= 6
    assert "<b>0</b>" in page.text


def test_nothing_of_a_sensitive_column_is_shown() -> None:
    assert "secret" not in render(described(mixed(), previous=mixed(300)))


def test_changes_come_by_importance() -> None:
    page = Page(render(described(mixed(), previous=mixed(shift=4000))))
    assert "times smaller" in page.text
    assert page.text.index("Scale") < page.text.index("Shift")
    alone = Page(render(described(mixed(), previous=mixed())))
    assert "Nothing beyond chance" in alone.text


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([], id="no row"),
        pytest.param([None, None], id="nothing"),
        pytest.param([1.5], id="one"),
        pytest.param([float("inf"), float("nan")], id="nothing finite"),
        pytest.param([1.7e308, -1.7e308] * 20, id="ends of the numbers"),
        pytest.param([n * 1.7e306 * (-1) ** n for n in range(100)], id="huge"),
        pytest.param([5e-324 * n for n in range(100)], id="tiny"),
        pytest.param([0.0] * 50 + [9e9], id="outlier"),
        pytest.param([float(n) for n in range(3000)], id="many"),
        pytest.param([n / 7 - 200 for n in range(3000)], id="many around zero"),
    ],
)
def test_odd_columns_are_drawn(values: list[float | None]) -> None:
    html = render(described(profile_of(x=(ColumnType.FLOAT, values))))
    page = Page(html)
    paths = "".join(str(value) for name, value in page.attributes if name == "d")
    assert not re.search("nan|inf", paths)


def test_five_hundred_columns_stay_within_two_megabytes() -> None:
    rng = random.Random(4)
    kinds, columns = {}, {}
    for n in range(500):
        name = f"a rather long name of a column, number {n}"
        kinds[name] = (ColumnType.FLOAT, ColumnType.STRING, ColumnType.DATE)[n % 3]
        columns[name] = [
            (rng.gauss(n, 3), "long category " * 5 + str(rng.randrange(30)), dt.date(2024, 1, 9))[
                n % 3
            ]
            if rng.random() > 0.1
            else None
            for _ in range(120)
        ]
    given = profile(table(kinds, columns, ["part.csv"] * 120), kinds)
    html = render(described(given, previous=given, checks=CHECKS * 200))
    assert len(html.encode()) < 2 * 1024 * 1024
    assert Page(html).tags.count("section") == 500
