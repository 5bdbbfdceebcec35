"""The page at `/`, in a real browser: its form asks the model, its figures move, nothing is fetched
from elsewhere; light, dark and as narrow as a phone.

Pictures are kept where TIDEMILL_PICTURES names a folder.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.authority import mount
from tests.support.browser import Tab, browser, program
from tests.unit.server import packages
from tests.unit.server.bucket import Bucket
from tests.unit.server.servers import Server, serve

FILLED = "document.querySelectorAll('#fields input').length == 3"
ANSWERED = "document.querySelector('#result .answer')"


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    if program() is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with browser() as found:
        yield found


@pytest.fixture
def page(tab: Tab, named: Server) -> Tab:
    tab.events.clear()
    tab.screen(1200, 900)
    tab.open(f"http://127.0.0.1:{named.port}/")
    tab.until(FILLED)
    return tab


def keep(tab: Tab, name: str) -> None:
    folder = os.environ.get("TIDEMILL_PICTURES")
    if folder:
        Path(folder, f"{name}.png").write_bytes(tab.picture())


def type_in(tab: Tab, name: str, text: str) -> None:
    tab.tell(
        f"(() => {{ const field = document.querySelector('[data-column={name}]');"
        f" field.value = '{text}';"
        " field.dispatchEvent(new Event('input', {bubbles: true})) })()"
    )


def press(tab: Tab) -> None:
    tab.tell("document.getElementById('go').click()")


def test_the_example_is_filled_in_and_predicted(page: Tab) -> None:
    press(page)
    page.until(ANSWERED)
    assert page.tell("document.querySelector('#result .answer').textContent") in ("UP", "DOWN")
    assert page.tell("document.querySelectorAll('#result .shares li').length") == 2
    keep(page, "light")
    assert page.complaints() == []


def test_another_example_is_filled_in(page: Tab) -> None:
    before = page.tell("document.querySelector('[data-column=price]').value")
    page.tell("document.querySelectorAll('#example-buttons button')[1].click()")
    assert page.tell("document.querySelector('[data-column=price]').value") != before


def test_what_is_typed_is_what_is_asked(page: Tab, named: Server) -> None:
    for name, text in (("price", "-.5"), ("demand", ""), ("day", "+03")):
        type_in(page, name, text)
    page.tell("document.querySelector('[data-column=peak]').value = 'false'")
    press(page)
    page.until(ANSWERED)
    row = {"price": -0.5, "demand": None, "day": 3, "peak": False}
    expected = named.request("POST", "/v1/predict", [row]).json["predictions"][0]["label"]
    assert page.tell("document.querySelector('#result .answer').textContent") == expected


def test_what_is_no_number_is_said_by_the_server_and_marked(page: Tab) -> None:
    type_in(page, "price", "cheap")
    press(page)
    page.until("document.querySelector('#result .refusal')")
    said = page.tell("document.querySelector('#result .refusal').textContent")
    assert said == "row 1, column 'price': the text 'cheap' is not a number"
    assert page.tell("document.querySelector('[aria-invalid=true]').dataset.column") == "price"


def test_dark(page: Tab) -> None:
    light = page.tell("getComputedStyle(document.body).backgroundColor")
    page.screen(1200, 900, dark=True)
    assert page.tell("getComputedStyle(document.body).backgroundColor") != light
    press(page)
    page.until(ANSWERED)
    keep(page, "dark")


def test_a_phone_scrolls_in_one_direction(page: Tab) -> None:
    page.screen(390, 844)
    press(page)
    page.until(ANSWERED)
    assert page.tell("document.documentElement.scrollWidth") == 390
    keep(page, "phone")


def test_the_figures_move(page: Tab) -> None:
    page.until("document.getElementById('rate').textContent != '–'")
    press(page)
    page.until("document.getElementById('p50').textContent != '–'")
    assert page.tell("document.getElementById('p50').textContent").endswith(" ms")
    assert page.tell("document.getElementById('state').textContent") == "ready"


def test_the_card_is_shown(page: Tab) -> None:
    text = page.tell("document.getElementById('card-title').parentElement.textContent")
    for part in ("HistGradientBoostingClassifier", "power", "DOWN, UP", "accuracy", "0.91", "80"):
        assert part in text


def test_every_field_has_a_label_and_every_part_a_heading(page: Tab) -> None:
    fields = "[...document.querySelectorAll('input, select, textarea')]"
    assert page.tell(f"{fields}.every(field => field.labels.length == 1)")
    sections = "[...document.querySelectorAll('section')]"
    assert page.tell(
        f"{sections}.every(part => document.getElementById(part.getAttribute('aria-labelledby')))"
    )
    assert page.tell("document.documentElement.lang") == "en"


def test_a_script_put_into_the_page_does_not_run(page: Tab) -> None:
    page.tell(
        "(() => { const script = document.createElement('script');"
        " script.textContent = 'window.ran = true'; document.body.append(script) })()"
    )
    assert page.tell("window.ran === undefined")
    page.tell("fetch('http://127.0.0.1:9/').catch(() => null)")
    refused = [text for text in page.complaints() if "Content Security Policy" in text]
    assert len(refused) >= 2


def test_columns_called_as_what_a_form_has_are_columns(tab: Tab, tmp_path: Path) -> None:
    names = ("elements", "addEventListener", "go", "fields")
    model = packages.logistic()
    told = model.signature["inputs"]
    model.signature["inputs"] = [{**one, "name": n} for one, n in zip(told, names, strict=True)]
    with Bucket() as bucket:
        digest = packages.publish(bucket, model.files())
        with serve(bucket, digest, tmp_path) as server:
            server.ready()
            tab.events.clear()
            tab.open(f"http://127.0.0.1:{server.port}/")
            tab.until(FILLED)
            press(tab)
            tab.until(ANSWERED)
            assert tab.complaints() == []


def test_nothing_in_its_files_names_another_server(named: Server) -> None:
    for path in ("/", "/page.css", "/page.js"):
        reply = named.get(path)
        assert reply.status == 200
        assert b"://" not in reply.body
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert reply.headers["x-content-type-options"] == "nosniff"


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    with Bucket() as bucket:
        digest = packages.publish(bucket, packages.logistic().files())
        with serve(bucket, digest, tmp_path, TIDEMILL_PAGE="Disabled") as server:
            server.ready()
            for path in ("/", "/page.js", "/page.css"):
                assert server.get(path).status == 404
            assert server.get("/v1/model").status == 200


def test_who_must_bear_a_token_is_asked_for_it(tab: Tab, tmp_path: Path) -> None:
    token = "abcdefghijklmnop"
    tokens = mount(tmp_path / "tokens", {"ana": token.encode()})
    with Bucket() as bucket:
        digest = packages.publish(bucket, packages.named().files())
        with serve(bucket, digest, tmp_path, TIDEMILL_TOKENS=str(tokens)) as server:
            server.ready()
            tab.screen(1200, 900)
            tab.open(f"http://127.0.0.1:{server.port}/")
            for typed, then in (("wrong-wrong-wrong", "!who.hidden"), (token, FILLED)):
                tab.until("!document.getElementById('who').hidden")
                keep(tab, "token")
                tab.tell(f"document.getElementById('token').value = '{typed}'")
                tab.tell("document.querySelector('#who button').click()")
                tab.until(then)
            tab.events.clear()
            press(tab)
            tab.until(ANSWERED)
            mount(tmp_path / "tokens", {"ana": b"qrstuvwxyz012345"})
            tab.until("!document.getElementById('who').hidden")
            tab.tell("document.getElementById('token').value = 'qrstuvwxyz012345'")
            tab.tell("document.querySelector('#who button').click()")
            tab.until("document.getElementById('state').textContent == 'ready'")
            tab.events.clear()
            press(tab)
            tab.until(ANSWERED)
            assert token not in tab.tell("document.documentElement.outerHTML")
            assert "$TOKEN" in tab.tell("document.getElementById('curl').textContent")
            assert tab.complaints() == []
