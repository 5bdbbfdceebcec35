"""Whose child an object is."""

from typing import Any

import pytest

from tidemill.children.ownership import belongs_to_owner_of, child_metadata, labels

PARENT = {"metadata": {"name": "n" * 253, "namespace": "ns", "uid": "u1"}}
MINE = child_metadata("Dataset", PARENT, "child")


def test_a_child_is_found_by_a_label_and_collected_by_a_reference() -> None:
    assert MINE["labels"] == {
        "app.kubernetes.io/managed-by": "tidemill",
        "tidemill.dev/kind": "Dataset",
        "tidemill.dev/owner-uid": "u1",
    }
    [reference] = MINE["ownerReferences"]
    assert reference["controller"] is True
    assert (reference["apiVersion"], reference["kind"]) == ("tidemill.dev/v1alpha1", "Dataset")
    assert (reference["name"], reference["uid"]) == ("n" * 253, "u1")
    assert (MINE["name"], MINE["namespace"]) == ("child", "ns")


def test_labels_are_short_enough_whatever_the_parents_name() -> None:
    assert all(len(value) <= 63 for value in MINE["labels"].values())


def controlled(uid: str) -> dict[str, Any]:
    return {"ownerReferences": [{"uid": uid, "controller": True}]}


@pytest.mark.parametrize(
    ("theirs", "mine"),
    [
        (MINE, True),
        (controlled("u1"), True),
        ({"labels": labels("Dataset", "u1")}, True),
        ({}, False),
        (controlled("u2"), False),
        ({"labels": labels("Dataset", "u1"), **controlled("u2")}, False),
        ({"labels": labels("Dataset", "u2")}, False),
        ({"ownerReferences": [{"uid": "u1"}]}, False),
    ],
    ids=[
        "both marks",
        "no label",
        "no reference",
        "nobody's",
        "another's",
        "another's with our label",
        "label of another",
        "not the controller",
    ],
)
def test_either_mark_is_enough_and_another_controller_is_not(
    theirs: dict[str, Any], mine: bool
) -> None:
    assert belongs_to_owner_of(MINE, {"metadata": theirs}) is mine
