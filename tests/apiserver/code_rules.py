"""The rules of a user's code, each with what it takes, what it refuses and what it then says."""

from functools import partial
from typing import Any

import pytest

from tidemill.api.v1alpha1.user_code import NEED_STEPS

IMAGE = "registry.example/code@sha256:" + "0a" * 32
DIGEST = "sha256:" + "0a" * 32
MOUNTED: dict[str, Any] = {"configMap": {"name": "code"}}
GIT: dict[str, Any] = {"git": {"url": "https://git.example/a/b.git", "commit": "0a" * 20}}
S3: dict[str, Any] = {"s3": {"bucket": "code", "key": "train.py", "digest": DIGEST}}
STEPS: dict[str, Any] = {
    "sklearn": {"steps": [{"name": "m", "class": "sklearn.dummy.DummyClassifier"}]}
}
SEARCH = {"method": "Grid", "space": {"m__strategy": {"values": ["prior"]}}}
CURVE = {"explain": {"learningCurve": True}}
ONE = "exactly one estimator must be set: sklearn, script, container or import"
# Refused by a pattern: the API server names the field.
FIELDS = {"url", "commit", "path", "function", "parallelism"}
PLACE = "a script is in exactly one of configMap, git, s3"
PINNED = "image must be named by digest (name@sha256:…), so that a record stays one"
BY_DIGEST = "image must be named by digest (name@sha256:…): the version says what made it"
OURS = "names that begin with TIDEMILL_ are set by Tidemill: take another"


def script(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    whole = dict(fields)
    for part in parts:
        whole |= part
    return {"estimator": {"script": whole}}


def container(**fields: Any) -> dict[str, Any]:
    return {"estimator": {"container": {"image": IMAGE, **fields}}}


CASES: tuple[tuple[str, dict[str, Any], dict[str, Any], str], ...] = (
    (
        "two estimators",
        script(MOUNTED),
        {"estimator": {"script": MOUNTED, "container": {"image": IMAGE}}},
        ONE,
    ),
    (
        "steps and code",
        container(params={"a": [1, None, {"b": 0.5}]}, format="CSV"),
        {"estimator": {**STEPS, "script": MOUNTED}},
        ONE,
    ),
    ("a script from nowhere", script(GIT, function="fit"), script(function="fit"), PLACE),
    ("a script from two places", script(S3), script(S3, MOUNTED), PLACE),
    (
        "a script's image by tag",
        script(MOUNTED, image=IMAGE),
        script(MOUNTED, image="registry.example/code:1"),
        PINNED,
    ),
    ("a container by tag", container(), container(image="registry.example/code:1"), BY_DIGEST),
    (
        "a variable of ours",
        container(env=[{"name": "A", "value": "1"}]),
        container(env=[{"name": "TIDEMILL_OUT", "value": "1"}]),
        OURS,
    ),
    (
        "a search with a script",
        {"estimator": STEPS, "search": SEARCH},
        {**script(MOUNTED), "search": SEARCH},
        NEED_STEPS[0]["message"],
    ),
    (
        "a learning curve with a container",
        {"estimator": STEPS, "evaluation": CURVE},
        {**container(), "evaluation": CURVE},
        NEED_STEPS[1]["message"],
    ),
    *(
        (f"a commit by {what}", script(GIT), script({"git": {**GIT["git"], field: bad}}), field)
        for what, field, bad in (
            ("its short name", "commit", "0a0a0a0"),
            ("a branch", "commit", "main"),
            ("http", "url", "http://git.example/a/b.git"),
            ("a path that leads out", "path", "../../etc/passwd.py/.."),
        )
    ),
    *(
        (f"{what} ranks of a {kind}", asked(parallelism=64), asked(parallelism=n), "parallelism")
        for kind, asked in (("script", partial(script, MOUNTED)), ("container", container))
        for what, n in (("no", 0), ("too many", 65))
    ),
    (
        "a function that is no name",
        script(MOUNTED, function="fit_it"),
        script(MOUNTED, function="os.system"),
        "function",
    ),
)
RULES = [
    pytest.param("TrainingRun", good, bad, message, id=name) for name, good, bad, message in CASES
]
