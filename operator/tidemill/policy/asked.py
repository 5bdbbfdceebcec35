"""What a spec asks for that a policy may restrict, each with the field that asks.

The spec is walked as it stands in the cluster, not as a model: an estimator within an estimator
lies in parameters that no model describes, and an image is one wherever a later kind of field names
it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# Parts of a spec whose keys are the user's own words.
_OWN_WORDS = {
    *("params", "space", "sklearn", "env", "nodeSelector", "inline", "columns"),
    *("matchLabels", "requests", "limits"),
}
# What a pipeline says in place of a class; it is none.
_NO_CLASS = {"passthrough", "drop"}
_PIPELINE = "sklearn"
_HUB = "docker.io"


@dataclass(frozen=True, slots=True)
class Asked:
    """A value and the field that it stands in."""

    field: str
    value: str


def images(spec: Mapping[str, Any]) -> Iterator[Asked]:
    """Find every image that the user names."""
    for field, key, value in _walk("spec", spec):
        if key == "image" and isinstance(value, str):
            yield Asked(field, value)


def deadlines(spec: Mapping[str, Any]) -> Iterator[Asked]:
    """Find how long the user lets work take."""
    for field, key, value in _walk("spec", spec):
        if key == "deadline" and isinstance(value, str):
            yield Asked(field, value)


def estimators(spec: Mapping[str, Any]) -> Iterator[Asked]:
    """Find every class, however deep it lies; where the code is the user's own, what brings it."""
    estimator = spec.get("estimator") or {}
    for kind in estimator:
        if kind != _PIPELINE:
            yield Asked(f"spec.estimator.{kind}", kind)
    for part in ("estimator", "search"):
        yield from _classes(f"spec.{part}", spec.get(part))


def full_name(image: str) -> str:
    """Write out an image's registry and folder as container engines do."""
    first, slash, rest = image.partition("/")
    # No path has capitals, so what has them is a registry to engines.
    known = any(sign in first for sign in ".:") or first == "localhost" or first != first.lower()
    registry, path = (first, rest) if slash and known else (_HUB, image)
    if registry in (_HUB, "index.docker.io"):
        return f"{_HUB}/{path}" if "/" in path else f"{_HUB}/library/{path}"
    return image


def _walk(field: str, value: object) -> Iterator[tuple[str, str, object]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in _OWN_WORDS:
                continue
            yield f"{field}.{key}", str(key), inner
            yield from _walk(f"{field}.{key}", inner)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _walk(f"{field}[{place}]", inner)


def _classes(field: str, value: object) -> Iterator[Asked]:
    if isinstance(value, Mapping):
        named = value.get("class")
        if isinstance(named, str) and named not in _NO_CLASS:
            yield Asked(f"{field}.class", named)
        for key, inner in value.items():
            yield from _classes(f"{field}.{key}", inner)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _classes(f"{field}[{place}]", inner)
