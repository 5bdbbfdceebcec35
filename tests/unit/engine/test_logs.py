"""Log lines as a machine reads them."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from tidemill.engine import logs
from tidemill.engine.key import Key

KEY = Key("Dataset", "default", "d")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Take over the process's logging for one test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("info", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, str]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object(stream: io.StringIO) -> None:
    logging.getLogger("a.b").warning("Created %s\nand more", "x")
    (line,) = lines(stream)
    assert line.pop("time").endswith("Z")
    assert line == {"level": "warning", "logger": "a.b", "message": "Created x\nand more"}


def test_a_line_inside_a_reconcile_says_whose_it_is(stream: io.StringIO) -> None:
    with logs.bound(KEY) as identity:
        logging.getLogger("a").info("inside")
    logging.getLogger("a").info("outside")
    inside, outside = lines(stream)
    wanted = {"kind": "Dataset", "namespace": "default", "name": "d", "reconcileID": identity}
    assert wanted.items() <= inside.items()
    assert not wanted.keys() & outside.keys()


async def test_tasks_and_threads_of_a_reconcile_are_bound_as_well(stream: io.StringIO) -> None:
    async def child() -> None:
        logging.getLogger("a").info("in a task")

    with logs.bound(KEY):
        await asyncio.create_task(child())
        await asyncio.to_thread(logging.getLogger("a").info, "in a thread")
    assert [line["name"] for line in lines(stream)] == ["d", "d"]


def test_an_error_has_its_traceback(stream: io.StringIO) -> None:
    try:
        {}["the cause"]
    except KeyError:
        logging.getLogger("a").exception("failed")
    (line,) = lines(stream)
    assert "Traceback" in line["error"]
    assert "the cause" in line["error"]


def test_libraries_are_quiet_unless_something_is_wrong(stream: io.StringIO) -> None:
    logging.getLogger("kopf.objects").info("chatter")
    logging.getLogger("kopf.objects").warning("trouble")
    assert [line["message"] for line in lines(stream)] == ["trouble"]
