"""What a try has come to, by the answers of all pods. Pure."""

import re
import signal
from collections.abc import Sequence

from tidemill_runner.failures import Failure
from tidemill_runner.joint.growing import Answer

# What the libraries say of others that do not answer: then it is they that failed.
_OF_OTHERS = re.compile(
    r"collective/|socket|connection|\btracker|allreduce|\bbind port|closed|connecting|not connect"
    r"|network|reset by peer",
    re.IGNORECASE,
)


class Lost(Exception):  # noqa: N818 - one of the pods is
    """A try that came to nothing, as far as is known through no fault of spec or data.

    `gone` tells that a pod was seen to go, which a process that ends by itself does not say.
    """

    def __init__(self, text: str, *, gone: bool = False) -> None:
        super().__init__(text)
        self.gone = gone


class Complaint(Exception):  # noqa: N818 - it is one of a library's
    """What a library raised in another process, by the name of its class."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind

    def of_library(self) -> Exception:
        """An exception of the same name: it is by name that complaints are told apart."""
        made: Exception = type(self.kind, (Exception,), {})(str(self))
        return made


def in_vain(tries: int, last: Lost, *, gone: bool) -> Failure:
    """What so many tries come to; `gone` is whether a pod went in any of them."""
    if gone:
        return Failure(
            "WorkersLost",
            f"pods were lost in {tries} tries of one fit, in the last one so: {last}; use nodes "
            "that stay (spec.template.nodeSelector), or fewer spec.distributed.workers",
        )
    return Failure(
        "FitFailed",
        f"spec.distributed: {tries} tries of one fit have failed though no pod was lost, the last "
        f"one so: {last}; let the pods reach one another on all ports, change the parameters, or "
        "leave distributed out",
    )


def of(answers: Sequence[Answer]) -> bytes:
    """The model; raises Failure, Complaint or Lost."""
    if any(one.ended == -signal.SIGKILL for one in answers):
        raise Failure(
            "OOMKilled",
            "a process of the fit was killed, most likely for want of memory: raise the memory "
            "limit in spec.template",
        )
    for one in answers:
        if one.error == "MemoryError":
            raise MemoryError(one.text)
        if one.error and not _OF_OTHERS.search(one.text):
            raise Complaint(one.error, one.text)
    if failed := [one for one in answers if not one.digest]:
        first = failed[0]
        raise Lost(first.text or f"a process ended with {first.ended}")
    if len({one.digest for one in answers}) > 1:
        raise Failure(
            "FitFailed",
            "spec.distributed: the pods have come to different models, though each should have "
            "the same: leave distributed out, and report the parameters",
        )
    model = next((one.model for one in answers if one.model), b"")
    if not model:
        raise Lost("no answer had the model")
    return model
