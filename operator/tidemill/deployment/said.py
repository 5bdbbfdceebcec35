"""What a pod of several models says of them, as far as it can be believed. Pure.

A pod is not ours to trust: what it sends may be anything. Of it are taken the models that were
asked about, digests that are some, reasons that a model can have, and a line of text.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from tidemill.api.v1alpha1.reasons import Reason
from tidemill.store.digests import is_digest

READY, LOADING, DRAINING = "Ready", "Loading", "Draining"
MAX_TEXT = 512
MAX_TOLD = 1024  # entries looked at, whatever they are
# What is wrong with a package, and stays so until somebody mends it or names another.
OF_THE_PACKAGE = frozenset(
    {
        *(Reason.DIGEST_MISMATCH, Reason.UNEXPECTED_FILE, Reason.MISSING_FILE),
        *(Reason.UNSAFE_PATH, Reason.PICKLE_REFUSED, Reason.MALFORMED_PACKAGE),
        Reason.MODEL_UNLOADABLE,
    }
)
# What may be wrong with a model. Others, such as what a policy says, are no pod's to say.
_OF_A_MODEL = OF_THE_PACKAGE | {
    *(Reason.SIGNATURE_INVALID, Reason.SPEC_INVALID, Reason.INTERNAL_ERROR),
    *(Reason.STORE_UNAVAILABLE, Reason.ACCESS_DENIED, Reason.BUCKET_MISSING),
    *(Reason.OOM_KILLED, Reason.SCRATCH_FULL, Reason.SECRET_INVALID),
}


class NotToldError(ValueError):
    """What came back does not tell of models; the message says what it is instead."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one pod says of one model; `reason` is READY, LOADING or what is wrong."""

    wanted: str
    digest: str
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one pod says of all, or in `fault` why it has said nothing.

    `listed` is the digest of the list that it follows.
    """

    pod: str
    models: Mapping[str, Said] = field(default_factory=dict)
    fault: str | None = None
    listed: str = ""

    @property
    def answering(self) -> tuple[str, ...]:
        """Name the models that some version of answers."""
        return tuple(name for name, said in self.models.items() if said.digest)


def way_out(reason: Reason, model: str) -> str:
    """Say what helps a package that is refused; `model` is the field that names it."""
    if reason is Reason.SIGNATURE_INVALID:
        key = f"{model}.verification"
        return f": name a package signed by a key of {key}, or believe the one that did"
    return f": mend the package, or name another in {model}" if reason in OF_THE_PACKAGE else ""


def read(pod: str, body: bytes, names: Collection[str]) -> Answer:
    """Read what a pod says of the models of these names; raises NotToldError."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise NotToldError("it is no JSON") from None
    models = document.get("models") if isinstance(document, dict) else None
    if not isinstance(models, list):
        raise NotToldError("it lists no models")
    found: dict[str, Said] = {}
    for one in models[:MAX_TOLD]:
        name = one.get("name") if isinstance(one, dict) else None
        if isinstance(name, str) and name in names and name not in found:
            found[name] = _said(one)
    return Answer(pod, found, listed=_digest(document.get("list")))


def _said(one: Mapping[str, object]) -> Said:
    return Said(
        wanted=_digest(one.get("wanted")),
        digest=_digest(one.get("digest")),
        reason=_reason(one.get("reason")),
        message=line(one.get("message")),
    )


def _digest(value: object) -> str:
    return value if isinstance(value, str) and is_digest(value) else ""


def _reason(value: object) -> str:
    """Take a reason; one that is not known, of a later server perhaps, is still one."""
    if value in (READY, LOADING):
        return str(value)
    if value == DRAINING:
        return LOADING  # another pod takes its place
    reason = Reason.named(value) if isinstance(value, str) else None
    return reason if reason in _OF_A_MODEL else Reason.MODEL_UNLOADABLE


def line(value: object) -> str:
    """Make one line of a text, without what a terminal would act upon."""
    if not isinstance(value, str):
        return ""
    text = "".join(sign if sign.isprintable() else " " for sign in value[: 4 * MAX_TEXT])
    short = " ".join(text.split())
    return short if len(short) <= MAX_TEXT else f"{short[: MAX_TEXT - 1]}…"
