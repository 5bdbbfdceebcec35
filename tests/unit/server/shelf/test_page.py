"""The page of several models in a real browser: which there are, how they do, and to each's own.

Pictures are kept where TIDEMILL_PICTURES names a folder.
"""

import re
from collections.abc import Iterator

import pytest
from tests.support.browser import Tab
from tests.unit.server import packages
from tests.unit.server.about.test_page import ANSWERED, FILLED, keep, press
from tests.unit.server.about.test_page import tab as tab  # noqa: PLC0414 - a fixture
from tests.unit.server.bucket import Bucket
from tests.unit.server.servers import Server
from tests.unit.server.shelf.shelves import Shelf, ask

ROWS = "document.querySelectorAll('#rows tr').length == 3"


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two models that answer, and one that is refused."""
    with Bucket() as bucket:
        shelf = Shelf(bucket, tmp_path_factory.mktemp("three"))
        shelf.put("power", packages.named())
        shelf.put("prices-of-tomorrow", packages.logistic())
        shelf.want("weather", {**packages.tree().files(), "model.skops": b"no model"})
        with shelf.serve() as server:
            server.wait_for_log("serving")
            yield server


@pytest.fixture
def page(tab: Tab, three: Server) -> Tab:
    tab.events.clear()
    tab.screen(1200, 900)
    tab.open(f"http://127.0.0.1:{three.port}/")
    tab.until(ROWS)
    return tab


def cell(page: Tab, row: int, column: int) -> str:
    script = f"document.querySelectorAll('#rows tr')[{row}].children[{column}].textContent"
    return str(page.tell(script))


def test_all_are_there_with_what_is_wrong(page: Tab, three: Server) -> None:
    assert page.tell("document.getElementById('state').textContent") == "2 of 3 answer"
    assert re.fullmatch("power[0-9a-f]{12}", cell(page, 0, 0))
    assert "model.skops" in cell(page, 2, 0)
    assert ask(three, "power").status == 200
    # Figures are of the time between two looks.
    page.until("document.querySelectorAll('#rows tr')[0].children[2].textContent.includes('ms')")
    keep(page, "shelf-light")
    page.screen(1200, 900, dark=True)
    keep(page, "shelf-dark")
    assert page.complaints() == []


def test_a_phone_scrolls_in_one_direction(page: Tab) -> None:
    page.screen(390, 844)
    assert page.tell("document.documentElement.scrollWidth") == 390
    keep(page, "shelf-phone")


def test_a_models_own_page_is_behind_its_name(page: Tab) -> None:
    page.tell("document.querySelector('#rows a').click()")
    page.until(FILLED)
    press(page)
    page.until(ANSWERED)
    assert page.tell("location.pathname") == "/models/power/"
    assert page.tell("document.getElementById('name').textContent") == "power"
    assert page.complaints() == []
