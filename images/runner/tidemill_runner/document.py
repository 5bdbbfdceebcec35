"""The input document of a run, read once by its verb; a part that is wrong is told as a Failure."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill_runner import inputs, train_input
from tidemill_runner.failures import Failure
from tidemill_runner.inputs import API_VERSION, IngestInput
from tidemill_runner.train_input import TrainInput

if TYPE_CHECKING:
    from tidemill_runner.online_input import MaterialiseInput


def load(path: Path, verb: str) -> "IngestInput | TrainInput | MaterialiseInput":
    """Read the document of a run; raises Failure."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["apiVersion"] != API_VERSION or document["verb"] != verb:
            raise Failure(
                "InternalError",
                f"the input is for {document['apiVersion']} {document['verb']}, "
                f"this is {API_VERSION} {verb}",
            )
        if verb == "materialise":
            # The client of an online store is of use to no other verb.
            from tidemill_runner import online_input  # noqa: PLC0415

            return online_input.read(document)
        return inputs.ingest(document) if verb == "ingest" else train_input.train(document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise Failure(
            "InternalError", f"the input document is malformed: {type(error).__name__}: {error}"
        ) from None
