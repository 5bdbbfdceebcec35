"""Which globs and which signs of CSV a spec may hold."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from tidemill.api.v1alpha1.sources import S3Source
from tidemill.store.globs import Globs


def s3(**fields: Any) -> S3Source:
    return S3Source.model_validate({"bucket": "raw", "format": "CSV", **fields})


@pytest.mark.parametrize(
    "glob",
    [
        "*",
        "**",
        "*.csv",
        "a*b?c",
        "2024/**/*.parquet",
        "**/*",
        "a/**",
        "[x]",
        "ü",
        "k=v/*",
        "a.b/c",
    ],
)
def test_a_glob_is_taken(glob: str) -> None:
    assert s3(include=[glob]).include == [glob]
    Globs([glob])


@pytest.mark.parametrize(
    "glob", ["", "/a", "a/", "a//b", "a**", "**a", "***", "a/b**/c", "x" * 257]
)
def test_a_glob_that_says_something_else_is_refused(glob: str) -> None:
    with pytest.raises(ValidationError, match="include"):
        s3(include=[glob])


def test_globs_are_few() -> None:
    for include in ([], ["a"] * 17):
        with pytest.raises(ValidationError, match="include"):
            s3(include=include)


@pytest.mark.parametrize(
    "signs",
    [
        {},
        {"delimiter": ";"},
        {"delimiter": "\t"},
        {"delimiter": "|", "quote": "'"},
        {"quote": "None"},
        {"decimal": ","},
        {"encoding": "UTF-16"},
        {"header": False},
        {"comment": "#"},
    ],
    ids=repr,
)
def test_signs_are_taken(signs: dict[str, Any]) -> None:
    csv = s3(csv=signs).csv
    assert csv is not None
    assert csv.model_dump(exclude_unset=True) == signs


@pytest.mark.parametrize(
    "signs",
    [
        {"delimiter": ""},
        {"delimiter": ";;"},
        {"delimiter": "a"},
        {"delimiter": "1"},
        {"delimiter": '"'},
        {"delimiter": "\n"},
        {"delimiter": "\\"},
        {"delimiter": "ü"},
        {"quote": ""},
        {"quote": "none"},
        {"quote": "a"},
        {"decimal": ";"},
        {"encoding": "EBCDIC"},
        {"comment": "a"},
        {"escape": "\\"},
    ],
    ids=repr,
)
def test_signs_that_cannot_be_honoured_are_refused(signs: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=re.escape(f"csv.{next(iter(signs))}")):
        s3(csv=signs)


def test_what_is_not_said_changes_no_ingest() -> None:
    """The ingest's key leaves out defaults: sources that say nothing new are not read again."""
    assert s3().model_dump(by_alias=True, exclude_defaults=True) == {
        "bucket": "raw",
        "format": "CSV",
    }
