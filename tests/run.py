"""Runs all tests from a bare machine on; the last line is the total.

Stages write their output to build/logs. With KEEP=1 the local cluster stays up at the end, and the
test of its life from nothing to nothing is left out. Named stages are run alone, as if what they
need were there.
"""

import argparse
import os
import sys
import threading
from collections.abc import Mapping, Sequence

from suite import counts, evidence
from suite.runner import Outcome, Runner, tail
from suite.stages import LOCAL, LOGS, ROOT, Stage, stages

KEPT = ("down", "lifecycle")
_printing = threading.Lock()


def say(text: str) -> None:
    with _printing:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def chosen(names: Sequence[str], environment: Mapping[str, str]) -> list[Stage]:
    every = stages(environment.get("CLUSTER") or LOCAL)
    if names:
        return [stage for stage in every if stage.name in names]
    keep = bool(environment.get("KEEP"))
    return [stage for stage in every if not (keep and stage.name in KEPT)]


def keep_evidence(stage: Stage) -> None:
    """Looks into the cluster at once, because a later stage takes it down."""
    if not stage.uses_cluster:
        return
    kubectl = [sys.executable, str(ROOT / "images/with_cluster.py"), "kubectl"]
    folder = LOGS / f"evidence-{stage.name}"
    written = evidence.collect(kubectl, folder)
    for path in written:
        if path.name in ("objects.txt", "operator.log"):
            say(tail(path))


def table(outcomes: Sequence[Outcome]) -> str:
    rows = [f"{'stage':12} {'result':8} {'seconds':>8}  tests"]
    for one in outcomes:
        result = "ok" if one.succeeded else "FAILED" if one.ran else "not run"
        tests = str(counts.read(one.stage.report)) if one.stage.counts and one.ran else ""
        if one.succeeded and not one.stage.counts:
            tests = "".join(counts.notes(one.stage.log))
        rows.append(f"{one.stage.name:12} {result:8} {one.seconds:8.0f}  {tests}")
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [stage.name for stage in stages()]
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"of: {', '.join(names)}")
    wanted = parser.parse_args().stages
    if unknown := set(wanted) - set(names):
        parser.error(f"no such stage: {', '.join(sorted(unknown))}")
    outcomes = Runner(chosen(wanted, os.environ), say, on_failure=keep_evidence).run()
    total = counts.Counts()
    for one in outcomes:
        report = one.stage.report if one.stage.counts else None
        total += counts.of_stage(report, ran=one.ran, succeeded=one.succeeded)
    say(f"\n{table(outcomes)}\n\nlogs: {LOGS}")
    for one in outcomes:
        if one.ran and not one.succeeded:
            failed = counts.failures(one.stage.report) if one.stage.counts else []
            for failure in failed or counts.last_words(one.stage.log):
                say(f"failed: {one.stage.name}: {failure}")
    say(str(total))
    return 0 if all(one.succeeded for one in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
