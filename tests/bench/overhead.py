"""From apply to the first correct prediction: what Tidemill adds to the pods' own time.

Run from the root of the tree: `python -m tests.bench.overhead [--rounds N] [--json FILE]`. Data
lies in the bucket; a Dataset, a TrainingRun and a ModelDeployment are applied at once. The time in
which one of their pods exists and works (it starts, reads, fits, loads) is the pods' own;
what is left is ours and Kubernetes' controllers': noticing, deciding, creating the next Job. The
time for which the user has the source settle is the user's.

Times are those at which a watch tells of a pod. Medians over the rounds, of which one comes first
that does not count. The server's own log tells what its container's start is spent on; by library,
that is in `server_start`.
"""

import contextlib
import json
import secrets
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.apiserver.kubectl import RefusedError
from tests.bench import table
from tests.bench.place import installed_kubectl
from tests.e2e import specs
from tests.e2e.prediction import infer
from tests.e2e.raw_store import RawStore, raw_store
from tests.e2e.specs import RAW_SECRET
from tests.e2e.test_path import rows
from tests.e2e.world import World, temporary_namespace

NAME = "first"
LIMIT_SECONDS = 180.0
ASK_SECONDS = 0.02
SETTLE_SECONDS = 1.0  # as tests.e2e.specs asks for
QUESTION: dict[str, list[float]] = {"a": [1, 16], "b": [0.0, 1.0]}
ANSWER = ["down", "up"]
OVERHEAD = "overhead, s"
TARGETS = {OVERHEAD: "≤ 3"}
LINE = (
    r'{.metadata.labels.tidemill\.dev/kind}{" "}{.status.phase}{" "}'
    r'{.status.conditions[?(@.type=="Ready")].status}{"\n"}'
)


@dataclass
class Seen:
    """When a watch first told of the pod of each kind, and that it had done its part."""

    came: dict[str, float] = field(default_factory=dict)
    done: dict[str, float] = field(default_factory=dict)

    def take(self, line: str, now: float) -> None:
        """Take one line of the watch; a server has done its part when it is ready."""
        kind, phase, *ready = line.split()
        self.came.setdefault(kind, now)
        ended = ready == ["True"] if kind == "ModelDeployment" else phase == "Succeeded"
        if ended:
            self.done.setdefault(kind, now)


@contextmanager
def watched(world: World) -> Iterator[Seen]:
    """Watch the pods of a namespace meanwhile."""
    seen, kubectl = Seen(), world.kubectl
    command = [kubectl.program, f"--kubeconfig={kubectl.kubeconfig}", "-n", world.namespace]
    flags = ["get", "pods", "--watch", "-l", "tidemill.dev/kind", "-o", f"jsonpath={LINE}"]
    with subprocess.Popen([*command, *flags], stdout=subprocess.PIPE, text=True) as watch:

        def read() -> None:
            for line in watch.stdout or ():
                seen.take(line, time.monotonic())

        reader = threading.Thread(target=read)
        reader.start()
        try:
            yield seen
        finally:
            watch.terminate()
            reader.join()


def one_round(world: World, raw: RawStore) -> table.Figures:
    """Go the way once."""
    world.secret(RAW_SECRET, raw.reader)
    raw.put(f"{world.namespace}/one.csv", rows(300))
    wanted = {
        "Dataset": specs.dataset(f"{world.namespace}/"),
        "TrainingRun": specs.training_run(NAME),
        "ModelDeployment": specs.model_deployment(NAME),
    }
    with watched(world) as seen:
        began = time.monotonic()
        world.apply_list([world.manifest(kind, NAME, spec) for kind, spec in wanted.items()])
        answered = _first_answer(world)
    came, done = seen.came, seen.done
    parts = {
        "apply → ingest pod, less settling": came["Dataset"] - began - SETTLE_SECONDS,
        "ingest pod ended → training pod": came["TrainingRun"] - done["Dataset"],
        "training pod ended → server pod": came["ModelDeployment"] - done["TrainingRun"],
        "server pod ready → correct answer": max(answered - done["ModelDeployment"], 0.0),
    }
    pods = {f"{kind}'s pod": done[kind] - came[kind] for kind in came}
    whole = {"in all, s": answered - began, OVERHEAD: sum(parts.values())}
    return whole | parts | pods | _starts(world)


def _starts(world: World) -> table.Figures:
    """Give the seconds of each part of the server's start, as it logged them."""
    label = "tidemill.dev/kind=ModelDeployment"
    log = world.kubectl("logs", "-n", world.namespace, "-l", label, "--tail=-1")
    lines = [json.loads(line) for line in log.splitlines()]
    stages = [(line["stage"], line) for line in lines if line["message"] == "stage done"]
    imports = [("imports", line) for line in lines if line["message"] == "imported"]
    return {f"server's start: {name}": line["seconds"] for name, line in (*imports, *stages)}


def _first_answer(world: World) -> float:
    end = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(RefusedError):
            if infer(world, NAME, NAME, QUESTION)["predict"] == ANSWER:
                return time.monotonic()
        time.sleep(ASK_SECONDS)
    raise SystemExit(f"no correct prediction within {LIMIT_SECONDS:.0f} s")


def main() -> None:
    options = table.options(__doc__, "rounds", whole=3, quick=1)
    kubectl, machine, rounds = installed_kubectl(), table.machine(), []
    with raw_store(kubectl) as raw:
        for _ in range(options.size + 1):
            with temporary_namespace(kubectl, f"bench-first-{secrets.token_hex(3)}") as world:
                rounds.append(one_round(world, raw))
    counted = rounds[1:]
    figures = {name: statistics.median(one[name] for one in counted) for name in counted[0]}
    table.show(f"apply → first correct prediction, median of {options.size}", figures, TARGETS)
    table.write(options.json, {"machine": machine, **figures, "rounds": counted})


if __name__ == "__main__":
    main()
