"""The drawing: as far for each factor of ten, every point marked, names that can be read."""

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from tests.bench.plot import Axis, Line, Panel, apart, decades, drawing, number_text

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*lines: Line) -> ET.Element:
    return ET.fromstring(drawing([Panel("a < b", "rows", lines)], 'what "it" shows'))  # noqa: S314


def of_class(root: ET.Element, name: str) -> list[ET.Element]:
    return [one for one in root.iter() if name in (one.get("class") or "").split()]


def test_a_factor_of_ten_is_as_far_everywhere() -> None:
    axis = Axis(1.0, 10_000.0, 100.0, 500.0)
    assert [axis.place(10.0**power) for power in range(5)] == pytest.approx(
        [100, 200, 300, 400, 500]
    )
    assert axis.powers() == [1, 10, 100, 1000, 10_000]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [([0.5, 30], (0.1, 100)), ([10, 1000], (10, 1000)), ([1], (1, 10)), ([7, 8], (1, 10))],
)
def test_the_powers_of_ten_around_values(values: list[float], wanted: tuple[float, float]) -> None:
    assert decades(values) == pytest.approx(wanted)


@pytest.mark.parametrize(
    "places", [[10.0, 100.0], [10.0, 10.0], [30.0, 28.0, 29.0], [5.0, 18.0, 31.0, 32.0]]
)
def test_names_are_apart_and_in_their_order(places: list[float]) -> None:
    found = apart(places, 15.0)
    assert min(upper - lower for lower, upper in pairwise(sorted(found))) >= 14
    assert [places[one] for one in sorted(range(len(found)), key=found.__getitem__)] == sorted(
        places
    )


def test_those_at_one_place_part_evenly() -> None:
    assert apart([10.0, 10.0], 15.0) == [2.5, 17.5]


def test_what_is_apart_stays() -> None:
    assert apart([100.0, 10.0, 50.0], 15.0) == [100.0, 10.0, 50.0]


def test_every_point_is_marked_on_its_line() -> None:
    root = drawn(Line("ours", [(1, 2), (10, 20), (100, 300)], 0), Line("theirs", [(1, 9)], 2))
    assert len(of_class(root, "m0")) == 3
    assert len(of_class(root, "m2")) == 1
    [line] = of_class(root, "l0")
    xs = [float(x) for x, _ in re.findall(r"([\d.]+) ([\d.]+)", line.get("d") or "")]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)


def test_a_name_is_where_its_line_ends() -> None:
    root = drawn(Line("A & B", [(1, 2), (100, 2)], 0), Line("short", [(1, 9), (10, 9)], 1))
    [full], [short] = of_class(root, "n0"), of_class(root, "n1")
    assert (full.text, short.text) == ("A & B", "short")
    [at_end] = [float(of_class(root, "l0")[0].get("d", "").rpartition("L")[2].split()[0])]
    assert float(full.get("x", "0")) == pytest.approx(at_end + 10, abs=0.2)
    assert short.get("text-anchor") == "end"
    assert float(short.get("x", "0")) < at_end


def test_a_line_without_points_is_left_out() -> None:
    root = drawn(Line("ours", [(1, 2), (10, 20)], 0), Line("refused", [], 1))
    assert not of_class(root, "n1")


def test_it_says_what_it_shows_and_brings_no_font() -> None:
    root = drawn(Line("ours", [(1, 2), (10, 20)], 0))
    assert root.tag == f"{SVG}svg"
    assert root.get("aria-label") == 'what "it" shows'
    style = next(root.iter(f"{SVG}style")).text or ""
    assert "prefers-color-scheme: dark" in style
    assert "font-face" not in style
    assert "a < b" in [one.text for one in root.iter(f"{SVG}text")]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "0.1"), (1, "1"), (500, "500"), (10_000, "10\u2009000")],
)
def test_numbers_as_people_read_them(value: float, text: str) -> None:
    assert number_text(value) == text
