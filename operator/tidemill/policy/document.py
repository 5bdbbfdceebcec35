"""The administrator's policy: a ConfigMap, as a model that refuses what it cannot honour.

One key, `policy.yaml`: rules for every namespace, and for some namespaces others in place of them,
field by field. A rule that is absent forbids nothing. A document that cannot be read as a whole is
not read in part: a rule with a spelling mistake would be a rule that is not there.
"""

from collections.abc import Hashable, Mapping
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, Field, ValidationError

from tidemill.api.v1alpha1.types import ApiModel, Duration, Quantity

NAME = "tidemill-policy"
KEY = "policy.yaml"
MAX_LISTED = 256
MAX_FAULTS = 3


class PolicyError(Exception):
    """What is wrong with the document, in words for who wrote it."""


def _is_image_pattern(text: str) -> str:
    registry, slash, rest = text.partition("/")
    named = "." in registry or ":" in registry or registry == "localhost"
    if text != "*" and (not named or "*" in registry or not slash or not rest):
        raise ValueError(
            f"{text!r} does not begin with a whole registry and a slash, as registry.example.org/* "
            "and docker.io/library/* do"
        )
    return text


ImagePattern = Annotated[
    str, Field(min_length=1, max_length=512), AfterValidator(_is_image_pattern)
]
ClassPattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.*]+$", max_length=253)]
ValuePattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.*-]*$", max_length=63)]
LabelName = Annotated[str, Field(pattern=r"^([a-z0-9.-]+/)?[A-Za-z0-9_.-]+$", max_length=317)]
NamespacePattern = Annotated[str, Field(pattern=r"^[a-z0-9*-]+$", max_length=63)]
ResourceName = Annotated[str, Field(pattern=r"^([a-z0-9.-]+/)?[a-z0-9.-]+$", max_length=317)]
Amounts = Annotated[dict[ResourceName, Quantity], Field(max_length=32)]


class Most(ApiModel):
    """How much of each resource a container, a pod, and all pods of an object may use."""

    container: Amounts | None = None
    pod: Amounts | None = None
    total: Amounts | None = None


class Rules(ApiModel):
    """What holds in a namespace; what is absent is not restricted."""

    images: Annotated[list[ImagePattern], Field(max_length=MAX_LISTED)] | None = None
    estimators: Annotated[list[ClassPattern], Field(max_length=MAX_LISTED)] | None = None
    labels: Annotated[dict[LabelName, ValuePattern], Field(max_length=32)] | None = None
    max_deadline: Duration | None = None
    max_resources: Most | None = None


class Exemption(ApiModel):
    """Other rules for some namespaces; a rule that is null is lifted there."""

    names: Annotated[list[NamespacePattern], Field(min_length=1, max_length=MAX_LISTED)]
    rules: Rules


class PolicyDocument(ApiModel):
    """The whole of it."""

    rules: Rules = Rules()
    namespaces: Annotated[tuple[Exemption, ...], Field(max_length=MAX_LISTED)] = ()

    def within(self, namespace: str) -> Rules:
        """Give the rules of a namespace: the first exemption naming it counts, field by field."""
        for one in self.namespaces:
            if any(matches(pattern, namespace) for pattern in one.names):
                own = {name: getattr(one.rules, name) for name in one.rules.model_fields_set}
                return self.rules.model_copy(update=own)
        return self.rules


def matches(pattern: str, text: str) -> bool:
    """Tell whether a text is as the pattern says; `*` stands for any characters, or none."""
    begin, *parts = pattern.split("*")
    if not parts:
        return text == pattern
    *between, end = parts
    if not text.startswith(begin) or not text.endswith(end):
        return False
    # The first place that fits is as good as any: no pattern takes long.
    at, last = len(begin), len(text) - len(end)
    for part in between:
        found = text.find(part, at, max(last, 0))
        if found < 0:
            return False
        at = found + len(part)
    return at <= last


def read(config_map: Mapping[str, Any] | None) -> PolicyDocument:
    """Read the ConfigMap; where there is none, nothing is restricted. Raises PolicyError."""
    if config_map is None:
        return PolicyDocument()
    data = {**(config_map.get("data") or {}), **(config_map.get("binaryData") or {})}
    if set(data) != {KEY}:
        found = ", ".join(sorted(data)) or "none"
        raise PolicyError(f"data is to have one key, {KEY}, and has: {found}")
    try:
        document = yaml.load(data[KEY], Loader=_Strict)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError) as error:  # the latter of what looks like a date
        raise PolicyError(f"{KEY} is not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise PolicyError(f"{KEY} is nested too deeply") from error
    try:
        return PolicyDocument.model_validate({} if document is None else document)
    except ValidationError as error:
        raise PolicyError(f"{KEY}: {_told(error)}") from error


def _told(error: ValidationError) -> str:
    faults = error.errors(include_url=False)
    texts = [
        f"{'.'.join(map(str, fault['loc'])) or 'the document'}: {_words(fault)}"
        for fault in faults[:MAX_FAULTS]
    ]
    more = len(faults) - MAX_FAULTS
    return "; ".join(texts) + (f"; and {more} more" if more > 0 else "")


def _words(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "extra_forbidden":
        return "there is no such field"
    if fault["type"] == "string_type" and isinstance(fault.get("input"), float):
        return f"put {fault['input']} in quotation marks"
    return str(fault["msg"]).removeprefix("Value error, ")


class _Strict(yaml.SafeLoader):
    """Refuses a key that is there twice: which of the two counts, nobody should have to know."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping from a node."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # no key at all, which is told below
            if key.value in seen:
                problem = f"the key {key.value!r} is there twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)
