"""The page of reasons holds every reason once, under the one who must act."""

from pathlib import Path

import pytest

from tidemill.api.reference import reasons_page
from tidemill.api.v1alpha1.actor import Actor
from tidemill.api.v1alpha1.reasons import Reason

ROOT = Path(__file__).parents[3]


def section_of(reason: Reason) -> str:
    before, _, _ = reasons_page().partition(f"| `{reason.value}` |")
    return before.rpartition("## ")[2].splitlines()[0]


@pytest.mark.parametrize("reason", list(Reason), ids=lambda reason: reason.value)
def test_every_reason_stands_once_with_its_meaning(reason: Reason) -> None:
    assert reasons_page().count(f"| `{reason.value}` | {reason.meaning} |") == 1


@pytest.mark.parametrize(
    ("reason", "section"),
    [
        (Reason.READY, "Nobody has to act"),
        (Reason.BUCKET_MISSING, "The author of the object acts"),
        (Reason.STORE_UNAVAILABLE, "The administrator acts"),
        (Reason.INTERNAL_ERROR, "Tidemill is at fault"),
    ],
    ids=[actor.name for actor in Actor],
)
def test_reasons_stand_under_who_must_act(reason: Reason, section: str) -> None:
    assert section_of(reason) == section


def test_committed_page_is_the_generated_one() -> None:
    page = (ROOT / "docs" / "reasons.md").read_text(encoding="utf-8")
    assert page == reasons_page(), "run `make crds` and commit what changed"


def test_no_meaning_breaks_the_table() -> None:
    assert [r for r in Reason if "|" in r.meaning or "\n" in r.meaning] == []
