"""The verbs `collect` and `conclude`: an ingest in two processes, with a container between them.

The first reads the source and lays out rows for the container; the other takes what that wrote. The
source is looked at once more at the end of the first: the second has not the keys to it.
"""

import logging
from collections.abc import Mapping
from typing import Any

from tidemill_runner import container, handover
from tidemill_runner.conclusion import Conclusion
from tidemill_runner.container import FIELD, Container, Table, Work
from tidemill_runner.failures import Failure
from tidemill_runner.inputs import DatasetVersion
from tidemill_runner.intake import Intake
from tidemill_runner.prepare import SOURCE
from tidemill_runner.referenced import Referenced
from tidemill_runner.sources import Origin
from tidemill_runner.workplace import COLLECTED, PREPARED, STAGED, Workplace
from tidemill_runner.written import Written

log = logging.getLogger(__name__)
STATE = "handover.json"


def collect(place: Workplace, origin: Origin, work: Work) -> None:
    """Lay out what the container reads, and leave word of it for `conclude`. Raises Failure."""
    work.clear()
    with place.cleared() as inside:
        intake = Intake(inside, origin, (0, COLLECTED, STAGED), placed=False)
        kept = place.document.copies
        delivered = intake.run(work.table(SOURCE), settles=False, kept=kept)
        raw = delivered.collected
        tables = {SOURCE: Table(raw.schema, raw.rows, delivered.files)}
        tables |= _inputs(inside, work)
        container.describe(work.input, tables)
    origin.objects()
    (work.state / STATE).write_bytes(delivered.to_bytes())
    asked, _ = _asked(place)
    place.progress.report(STAGED, f"{FIELD} runs")
    log.info("%s reads %s: %s", FIELD, ", ".join(tables), asked.image)


def conclude(place: Workplace, work: Work) -> dict[str, Any]:
    """Make a version of what the container wrote; the result without its times. Raises Failure."""
    asked, inputs = _asked(place)
    delivered = handover.parse((work.state / STATE).read_bytes(), work.input / SOURCE)
    written = Written(work.output, asked.format)
    with place.cleared() as inside:
        with written.named():
            intake = Intake(inside, written, (STAGED, STAGED + 5, PREPARED))
            made = intake.run(inside.folder("rows"), settles=True)
        header = asked.header({name: one.version for name, one in inputs.items()})
        conclusion = Conclusion(inside, made, delivered, header)
        manifest, judgement = conclusion.judge()
        return conclusion.record(manifest, judgement)


def _inputs(place: Workplace, work: Work) -> dict[str, Table]:
    _, inputs = _asked(place)
    found = Referenced(place.store, place.folder("inputs"))
    tables = {}
    for name, version in inputs.items():
        laid = found.lay_out(version, work.table(name))
        tables[name] = Table(found.schema(version), laid.rows, tuple(laid.files))
    return tables


def _asked(place: Workplace) -> tuple[Container, Mapping[str, DatasetVersion]]:
    asked = place.document.prepare
    if asked is None or asked.container is None:
        raise Failure("InternalError", f"the input asks for no {FIELD}")
    return asked.container, asked.inputs
