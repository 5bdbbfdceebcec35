"""Answers that their clients do not take count with what all may hold."""

from tests.unit.server.rest.wire import line

from tidemill_server.limits.budget import Budget


async def test_an_answer_that_waits_holds_its_room_until_it_is_taken() -> None:
    found, budget = line(), Budget(100)
    found.terms.budget = budget
    found.wire.waiting = 60
    found.connection.pause_writing()
    assert budget.held == 60
    found.connection.resume_writing()
    assert budget.held == 0
    assert not found.wire.aborted
    found.connection.pause_writing()
    found.connection.connection_lost(None)
    assert budget.held == 0


async def test_who_takes_nothing_is_cut_where_there_is_no_room() -> None:
    found, budget = line(), Budget(100)
    found.terms.budget = budget
    found.wire.waiting = 101
    found.connection.pause_writing()
    assert found.wire.aborted
    found.connection.connection_lost(None)
    assert budget.held == 0
