"""The names and bounds of Events."""

import pytest

from tidemill.kube.events import MAX_MESSAGE, MAX_NAME, compose

ABOUT = {
    "apiVersion": "tidemill.dev/v1alpha1",
    "kind": "Dataset",
    "metadata": {"namespace": "default", "name": "power", "uid": "u1"},
}


def name_of(reason: str = "Ready", message: str = "m", uid: str = "u1", **flags: bool) -> str:
    about = {**ABOUT, "metadata": {**ABOUT["metadata"], "uid": uid}}  # type: ignore[dict-item]
    event = compose(about, reason, message, warning=flags.get("warning", False))
    return str(event["metadata"]["name"])


def test_the_same_words_have_the_same_name() -> None:
    assert name_of() == name_of()
    assert name_of().startswith("power.")


@pytest.mark.parametrize(
    "change",
    [{"reason": "Other"}, {"message": "other"}, {"uid": "u2"}, {"warning": True}],
    ids=lambda change: next(iter(change)),
)
def test_other_words_have_another_name(change: dict[str, str]) -> None:
    assert name_of(**change) != name_of()  # type: ignore[arg-type]


def test_the_longest_name_and_message_fit() -> None:
    about = {**ABOUT, "metadata": {"namespace": "n", "name": "a" * 253, "uid": "u"}}
    event = compose(about, "Ready", "m" * 5000, warning=False)
    assert len(event["metadata"]["name"]) <= MAX_NAME
    assert len(event["message"]) <= MAX_MESSAGE
    assert event["involvedObject"]["name"] == "a" * 253
