"""What the commands about runs show, where they read it, and how they end."""

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.api_server import BREAK, ERROR, USER_TOKEN, ApiServer, status
from tests.unit.cli.conftest import Plugin

from tidemill.cli import complete

Body = dict[str, Any]
UID = "0a1b2c3d-0000-4000-8000-000000000001"
OTHER_UID = "0a1b2c3d-0000-4000-8000-000000000002"
JOB = "first-abcdefghij"
EVIL = "\x1b[31mred\u202e"
METRIC = {"name": "accuracy", "value": "0.75", "low": "0.71234", "high": "0.79", "rows": 4000}


def run(name: str = "first", reason: str = "Training", message: str = "", **status: Any) -> Body:
    condition = {"type": "Succeeded", "status": "Unknown", "reason": reason, "message": message}
    return {
        "metadata": {"name": name, "uid": UID, "generation": 1, "resourceVersion": "5"},
        "spec": {
            "dataset": {"name": "power", "version": "latest"},
            "task": "Classification",
            "target": "class",
            "estimator": {
                "sklearn": {"steps": [{"name": "model", "class": "a.B", "params": {"depth": 3}}]}
            },
            "deadline": "1h",
        },
        "status": {
            "observedGeneration": 1,
            "conditions": [condition],
            "job": JOB,
            "applied": {"datasetVersion": "sha256:" + "1" * 64, "image": "r@sha256:" + "2" * 64},
            **status,
        },
    }


def ended(name: str = "first", **status: Any) -> Body:
    report = f"s3://tidemill/runs/team/{UID}/{JOB}/report.html"
    end = {"completedAt": "2026-03-01T12:00:00Z", "metrics": [METRIC], "report": report}
    return run(name, "Succeeded", "model dddddddddddd, accuracy=0.75", **{**end, **status})


def failed(name: str = "first") -> Body:
    failure = {"reason": "FitFailed", "message": f"it raised {EVIL}"}
    end = {"completedAt": "2026-03-01T12:00:00Z", "failure": failure}
    return run(name, "FitFailed", f"it raised {EVIL}", **end)


def at(percent: int, **progress: Any) -> Body:
    return run(progress={"percent": percent, "message": "fitting", **progress})


@pytest.fixture
def runs(typed: Plugin) -> Plugin:
    return lambda *arguments, **flags: typed("run", *arguments, **flags)


def test_a_run_is_watched_to_its_end(server: ApiServer, runs: Plugin) -> None:
    server.runs["first"] = [
        at(0, message="waiting for the pod"),
        at(20, step="fit", eta="3m20s"),
        at(75, step="evaluate", metric="accuracy=0.75"),
        ended(),
    ]
    found = runs("watch", "first")
    assert (found.code, found.err) == (0, "")
    assert found.out.splitlines() == [
        "[------------------------]   0 %  waiting for the pod",
        "[####--------------------]  20 %  fit  fitting  about 3m20s left",
        "[##################------]  75 %  evaluate  fitting  accuracy=0.75",
        "Succeeded: model dddddddddddd, accuracy=0.75",
        "METRIC    VALUE  95 %             ROWS",
        "accuracy   0.75  (0.712 … 0.79)  4,000",
    ]


def test_what_does_not_change_is_told_once(server: ApiServer, runs: Plugin) -> None:
    server.runs["first"] = [at(20), at(20), at(20), ended()]
    assert runs("watch", "first").out.count("20 %") == 1


def test_what_keeps_it_is_told(server: ApiServer, runs: Plugin) -> None:
    waits = run(reason="Unschedulable", message=f"no node {EVIL}", progress={"percent": 0})
    again = at(20)
    again["status"]["attempt"] = {"number": 2, "reason": "Evicted"}
    server.runs["first"] = [waits, again, ended()]
    lines = runs("watch", "first").out.splitlines()
    assert lines[0] == "Unschedulable: no node �[31mred�"
    assert lines[1].endswith("20 %  fitting  attempt 2 after Evicted")


@pytest.mark.parametrize("fault", [BREAK, ERROR])
def test_a_watch_that_ends_early_is_begun_again(
    server: ApiServer, runs: Plugin, fault: str
) -> None:
    server.runs["first"] = [at(20), fault, at(30), ended()]
    found = runs("watch", "first")
    assert (found.code, found.err) == (0, "")
    assert [line[28:32] for line in found.out.splitlines()[:2]] == ["20 %", "30 %"]


def test_a_state_that_is_too_old_is_read_anew(server: ApiServer, runs: Plugin) -> None:
    server.runs["first"] = [at(20), ended()]
    server.refuse["trainingruns"] = [(410, status("Expired", "too old"))]
    server.passed["trainingruns"] = 1
    assert runs("watch", "first").code == 0


def test_an_api_server_that_is_away_is_told(server: ApiServer, runs: Plugin) -> None:
    server.runs["first"] = [at(20), ended()]
    server.refuse["trainingruns"] = [(503, status("Unavailable", "starting"))]
    assert runs("watch", "first").code == 4


def test_a_run_that_failed_ends_with_one(server: ApiServer, runs: Plugin) -> None:
    server.runs["first"] = [at(20), failed()]
    found = runs("watch", "first")
    assert found.code == 1
    assert found.out.splitlines()[-1] == "FitFailed: it raised �[31mred�"


def test_a_spec_that_nobody_has_seen_has_not_ended(server: ApiServer, runs: Plugin) -> None:
    unseen = ended()
    unseen["metadata"]["generation"] = 2
    server.runs["first"] = [unseen, failed()]
    assert runs("watch", "first").code == 1


@pytest.mark.parametrize("states", [[], [at(20), None]], ids=["never there", "deleted meanwhile"])
def test_a_run_that_is_not_there(server: ApiServer, runs: Plugin, states: list[Any]) -> None:
    server.runs["first"] = states
    found = runs("watch", "first")
    assert found.code == 1
    assert found.err == "error: namespace team has no run first: see `kubectl get tmrun`\n"


def test_who_may_not_is_told(server: ApiServer, runs: Plugin) -> None:
    server.runs["first"] = [at(20)]
    server.refuse["trainingruns"] = [(403, status("Forbidden", "you may not get trainingruns"))]
    found = runs("watch", "first")
    assert (found.code, found.err) == (3, "error: you may not get trainingruns\n")


def put_pod(server: ApiServer, name: str = "p", phase: str = "Running", made: str = "1") -> None:
    metadata = {"name": name, "creationTimestamp": made}
    server.pods.append({"job": JOB, "metadata": metadata, "status": {"phase": phase}})
    server.logs[name] = f"{name}: a line\nand {EVIL} another\nthe last".encode()


def test_the_log_is_the_newest_pods_while_there_is_one(server: ApiServer, runs: Plugin) -> None:
    server.runs["first"] = [at(20)]
    put_pod(server, "new", made="2026-03-02T00:00:00Z")
    put_pod(server, "old", made="2026-03-01T00:00:00Z")
    found = runs("logs", "first")
    assert found.out.splitlines() == ["new: a line", "and �[31mred� another", "the last"]
    assert not [path for _, path, _ in server.asked if "proxy" in path]
    assert not server.token_requests


def test_of_several_pods_the_log_is_that_of_the_first(server: ApiServer, runs: Plugin) -> None:
    server.runs["first"] = [at(20)]
    for number, made in ((0, "2026-03-01"), (1, "2026-03-02")):
        put_pod(server, f"rank-{number}", made=f"{made}T00:00:00Z")
        notes = {"batch.kubernetes.io/job-completion-index": str(number)}
        server.pods[-1]["metadata"]["annotations"] = notes
    assert runs("logs", "first").out.startswith("rank-0: a line")


def test_a_log_is_followed(server: ApiServer, runs: Plugin) -> None:
    server.runs["first"] = [at(20)]
    put_pod(server)
    assert runs("logs", "first", "-f").out.splitlines()[-1] == "the lastand on"


def test_a_pod_that_has_not_started_has_no_log(server: ApiServer, runs: Plugin) -> None:
    server.runs["first"] = [run(reason="Unschedulable", message="no node")]
    put_pod(server, phase="Pending")
    found = runs("logs", "first")
    assert (found.code, found.out) == (1, "")
    assert found.err == "error: the pod of first has not started: Unschedulable: no node\n"


def test_when_the_pod_is_gone_the_log_is_the_one_kept(server: ApiServer, runs: Plugin) -> None:
    server.runs["first"] = [ended()]
    key = f"runs/team/{UID}/{JOB}/log.gz"
    server.bucket.put(key, gzip.compress(f"kept\n{EVIL}\n".encode()))
    found = runs("logs", "first")
    assert (found.code, found.out.splitlines()) == (0, ["kept", "�[31mred�"])
    for _, path, headers in server.asked:
        assert headers["Authorization"] == f"Bearer {USER_TOKEN}"
        assert ("X-Tidemill-Token" in headers) == ("/proxy/" in path)


@pytest.mark.parametrize(
    ("kept", "tells"),
    [(None, "there is no log of run"), (b"junk", "the log of first is damaged")],
    ids=["none", "damaged"],
)
def test_a_log_that_is_not_whole(
    server: ApiServer, runs: Plugin, kept: bytes | None, tells: str
) -> None:
    server.runs["first"] = [ended()]
    if kept:
        server.bucket.put(f"runs/team/{UID}/{JOB}/log.gz", kept)
    found = runs("logs", "first")
    assert (found.code, found.out) == (1, "")
    assert tells in found.err


def test_a_run_without_a_job_has_no_log(server: ApiServer, runs: Plugin) -> None:
    body = run(reason="WaitingForDataset", message="no data")
    del body["status"]["job"]
    server.runs["first"] = [body]
    found = runs("logs", "first")
    assert (found.code, "run first has no Job" in found.err) == (1, True)


def cached() -> Body:
    report = f"s3://tidemill/runs/team/{OTHER_UID}/other-job/report.html"
    body = ended("second", report=report, cachedFrom={"name": "first", "uid": OTHER_UID})
    del body["status"]["job"]
    return body


def test_who_took_a_result_shows_the_log_and_report_of_that(
    server: ApiServer, runs: Plugin, tmp_path: Path
) -> None:
    server.runs["second"] = [cached()]
    place = f"runs/team/{OTHER_UID}/other-job"
    server.bucket.put(f"{place}/log.gz", gzip.compress(b"theirs\n"))
    server.bucket.put(f"{place}/report.html", b"<html>theirs</html>")
    assert runs("logs", "second").out == "theirs\n"
    assert runs("report", "second").out == "second.html\n"
    assert (tmp_path / "second.html").read_bytes() == b"<html>theirs</html>"


def test_a_report_is_written_whole(server: ApiServer, runs: Plugin, tmp_path: Path) -> None:
    server.runs["first"] = [ended()]
    server.bucket.put(f"runs/team/{UID}/{JOB}/report.html", b"<html>")
    target = tmp_path / "r.html"
    assert runs("report", "first", "-o", str(target)).code == 0
    assert target.read_bytes() == b"<html>"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["kubeconfig", "r.html"]


def test_a_run_that_failed_has_no_report(server: ApiServer, runs: Plugin, tmp_path: Path) -> None:
    server.runs["first"] = [failed()]
    found = runs("report", "first")
    assert found.code == 1
    assert found.err == "error: run first has no report: FitFailed: it raised �[31mred�\n"
    assert not list(tmp_path.glob("*.html"))


def pair() -> tuple[Body, Body]:
    """Two runs of the same data, the second with other parameters and a metric more."""
    first, second = ended("first"), copy.deepcopy(ended("second"))
    [step] = second["spec"]["estimator"]["sklearn"]["steps"]
    step["params"] = {"depth": 5, "rate": 0.1}
    second["spec"]["deadline"] = "2h"
    second["status"]["metrics"] = [
        {**METRIC, "value": "0.8"},
        {"name": "roc_auc", "value": "0.9", "rows": 4000},
    ]
    return first, second


def test_two_runs_side_by_side(server: ApiServer, runs: Plugin) -> None:
    for body in pair():
        server.runs[body["metadata"]["name"]] = [body]
    found = runs("compare", "first", "second")
    assert found.code == 0
    assert [line.split() for line in found.out.splitlines()] == [
        ["PARAMETER", "first", "second"],
        ["estimator.sklearn.steps.model.params.depth", "3", "5"],
        ["estimator.sklearn.steps.model.params.rate", "0.1"],
        ["6", "parameters", "are", "the", "same:", "see", "--all"],
        ["METRIC", "first", "second", "CHANGE"],
        ["accuracy", "0.75", "(0.712", "…", "0.79)", "0.8", "(0.712", "…", "0.79)", "+0.05"],
        ["roc_auc", "0.9"],
    ]
    assert "dataset.version" in runs("compare", "first", "second", "--all").out


def test_two_runs_for_programs(server: ApiServer, runs: Plugin) -> None:
    for body in pair():
        server.runs[body["metadata"]["name"]] = [body]
    found = json.loads(runs("compare", "first", "second", "-o", "json").out)
    assert (found["a"], found["b"], found["sameRows"]) == ("first", "second", True)
    told = {one["name"]: (one["a"], one["b"], one["same"]) for one in found["parameters"]}
    assert told["estimator.sklearn.steps.model.params.rate"] == (None, "0.1", False)
    assert told["dataset.version"] == ("1" * 12, "1" * 12, True)
    assert "deadline" not in told
    assert found["metrics"][0]["change"] == pytest.approx(0.05)
    assert found["metrics"][1] == {
        "name": "roc_auc",
        "a": None,
        "b": {"name": "roc_auc", "value": "0.9", "rows": 4000},
        "change": None,
    }


OTHER_ROWS: list[Any] = [
    lambda b: b["spec"].update(seed=1),
    lambda b: b["spec"].update(target="other"),
    lambda b: b["spec"].update(split={"holdout": "0.3"}),
    lambda b: b["status"]["applied"].update(datasetVersion="sha256:" + "3" * 64),
    lambda b: b["status"]["applied"].update(tables=[{"name": "t", "version": "sha256:1"}]),
]


@pytest.mark.parametrize("change", OTHER_ROWS)
def test_metrics_on_other_rows_do_not_compare(server: ApiServer, runs: Plugin, change: Any) -> None:
    first, second = pair()
    change(second)
    server.runs["first"], server.runs["second"] = [first], [second]
    out = runs("compare", "first", "second").out
    assert out.endswith("They were not measured on the same rows: the metrics do not compare.\n")


def test_defaults_written_out_are_the_same_rows(server: ApiServer, runs: Plugin) -> None:
    first, second = pair()
    second["spec"] |= {"seed": 0, "split": {"by": "Random", "holdout": "0.2"}}
    server.runs["first"], server.runs["second"] = [first], [second]
    assert "not measured" not in runs("compare", "first", "second").out


@pytest.mark.usefixtures("pauses")
def test_runs_are_completed(server: ApiServer, tmp_path: Path) -> None:
    config = str(server.kubeconfig(tmp_path))
    server.runs["first"], server.runs["second"] = [run("first")], [run("second")]
    for command in (["watch"], ["logs"], ["report"], ["compare"], ["compare", "first"]):
        words = ["run", *command[:1], "--kubeconfig", config, *command[1:], "se"]
        assert list(complete.proposals(words)) == ["second", ":4"]
    assert list(complete.proposals(["ru"])) == ["run\tTraining runs: watch, read, compare.", ":4"]
