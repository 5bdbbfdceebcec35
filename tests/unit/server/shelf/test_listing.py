"""The list of models: what is read of it, and what is refused in which words."""

import json
from pathlib import Path
from typing import Any

import pytest

from tidemill.store.digests import sha256_digest
from tidemill_server.shelf.listing import MOST_BYTES, MOST_MODELS, Wanted, read_list

DIGEST = "sha256:" + "ab" * 32
GOOD: dict[str, Any] = {"name": "a", "uri": "s3://bucket/models/team/x/", "digest": DIGEST}


def listed(folder: Path, *models: Any) -> Path:
    file = folder / "models.json"
    file.write_text(json.dumps({"models": list(models)}))
    return file


def test_what_is_listed_is_wanted(tmp_path: Path) -> None:
    limits = {"rows": 7, "inFlight": 8, "memoryBytes": 9}
    more = {**GOOD, "name": "b", "publicKeys": ["PEM"], "limits": limits}
    file = listed(tmp_path, GOOD, more)
    found = read_list(file)
    first, second = found.models
    assert found.digest == sha256_digest(file.read_bytes())
    assert first == Wanted("a", DIGEST, "bucket", "models/team/x/")
    assert first.version == "ab" * 6
    assert second == Wanted("b", DIGEST, "bucket", "models/team/x/", ("PEM",), 7, 8, 9)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "A"}, r"models\[0\]\.name must be a label"),
        ({"name": "a/b"}, r"models\[0\]\.name"),
        ({"name": "x" * 64}, r"models\[0\]\.name"),
        ({"name": None}, r"models\[0\]\.name"),
        ({"digest": "sha256:1"}, r"models\[0\]\.digest must be sha256"),
        ({"uri": "http://x/y"}, r"models\[0\]\.uri: not of the form s3://"),
        ({"uri": 7}, r"models\[0\]\.uri"),
        ({"publicKeys": []}, r"models\[0\]\.publicKeys must be a list of texts"),
        ({"publicKeys": [7]}, r"models\[0\]\.publicKeys"),
        ({"limits": []}, r"models\[0\]\.limits must be an object"),
        ({"limits": {"rows": 0}}, r"models\[0\]\.limits\.rows must be a whole number"),
        ({"limits": {"memoryBytes": 10**30}}, r"models\[0\]\.limits\.memoryBytes"),
        ({"limits": {"rows": True}}, r"models\[0\]\.limits\.rows"),
        ({"limits": {"inFlight": "8"}}, r"models\[0\]\.limits\.inFlight"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_list(listed(tmp_path, {**GOOD, **change}))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "must be an object with 'models'"),
        ("[" * 100_000, "must be an object"),
        ("[]", "must be an object"),
        ('{"models": {}}', "must be an object"),
        ('{"models": [7]}', r"models\[0\] must be an object"),
        (json.dumps({"models": [GOOD, GOOD]}), "two models are called 'a'"),
        (json.dumps({"models": [GOOD] * (MOST_MODELS + 1)}), f"at most {MOST_MODELS}"),
        (" " * (MOST_BYTES + 1), "larger than"),
    ],
)
def test_a_file_that_is_no_list_is_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "models.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=words):
        read_list(file)


def test_its_own_bounds_are_of_the_model_and_the_others_the_servers(tmp_path: Path) -> None:
    from tidemill_server.settings import Settings

    server = Settings.from_env(
        {
            "TIDEMILL_MODEL_NAME": "shelf",
            "TIDEMILL_MODELS": "/models.json",
            "TIDEMILL_MAX_ROWS": "100",
            "TIDEMILL_MAX_IN_FLIGHT": "50",
        }
    )
    only = {**GOOD, "limits": {"rows": 7, "memoryBytes": 9}}
    (wanted,) = read_list(listed(tmp_path, only)).models
    own = wanted.settings(server, tmp_path)
    assert (own.limits.rows, own.limits.in_flight, own.loading.memory_bytes) == (7, 50, 9)
    assert (own.model_name, own.model_version, own.model_digest) == ("a", "ab" * 6, DIGEST)
    assert (own.bucket, own.prefix, own.models) == ("bucket", "models/team/x/", None)
