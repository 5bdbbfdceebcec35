"""Boosted trees that several pods grow together: what comes of it, and what is refused."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import get_worker
from tests.unit.runner.joint.crew import beside, clear, pod, start, together
from tests.unit.runner.nested import NUMBERS, ONE_HOT, columns
from tests.unit.runner.packages import served, unpack
from tests.unit.runner.search.teams import FolderStorage, at_home
from tests.unit.runner.workshop import Workshop, classification, estimator, regression, rows

from tidemill.store import layout
from tidemill_runner.cluster import turns
from tidemill_runner.cluster.board import Board, Notice
from tidemill_runner.exits import Exit
from tidemill_runner.failures import Failure
from tidemill_runner.joint.growing import Answer
from tidemill_runner.joint.pod import Hands

__all__ = ["at_home"]
pytestmark = pytest.mark.usefixtures("at_home")
XGB, LGBM = "xgboost.XGBClassifier", "lightgbm.LGBMClassifier"
# One thread each: threads of pods that share a machine wait for each other by spinning.
FEW = {"n_estimators": 10, "n_jobs": 1}
STEPS = columns(NUMBERS, {"name": "words", "columns": "categorical", **ONE_HOT})


def weighed() -> str:
    """Three classes, of which each other row has but two; a third of the rows is not to count."""
    lines = []
    for i in range(300):
        a = i * 37 % 300
        label = "third" if i % 2 == 0 and a > 200 else "first" if (a + i % 7 * 20) > 150 else "no"
        counts = i % 3 > 0
        label = label if counts else "no"
        lines.append(f"{a},{i % 10},{('x', 'z')[i % 5 == 0]},{int(counts)},{label}")
    return "a,b,s,w,y\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize(("path", "apart"), [(XGB, 1e-3), (LGBM, 0.03)])
def test_two_pods_come_to_nearly_what_one_does_and_to_the_same_each_time(
    workshop: Workshop, path: str, apart: float
) -> None:
    workshop.deliver(data_csv=weighed())
    ingested = workshop.ingest()
    spec = classification(
        estimator=estimator(STEPS, (path, FEW)),
        weights={"column": "w"},
        split={"by": "Order", "holdout": "0.2"},
    )
    first = together(workshop, ingested, spec)
    # The first pod was lost when the model was there: nobody is beside its successor.
    document = {**workshop.train_document(ingested, spec), "workers": 2}
    after = pod(workshop, document, "successor").run()
    clear(workshop)
    second = together(workshop, ingested, spec)
    assert first["artifact"] == after["artifact"] == second["artifact"]
    both = served(unpack(workshop, first))
    both.assert_the_same()
    alone = served(unpack(workshop, workshop.train(ingested, spec))).model
    del spec["weights"]
    spec["features"] = {"exclude": ["w"]}
    unweighed = served(unpack(workshop, workshop.train(ingested, spec))).model
    asked = np.array([[float(a), float(a % 10), "xz"[a % 2]] for a in range(300)], dtype=object)
    found, one, other = (model.predict_proba(asked) for model in (both.model, alone, unweighed))
    assert np.abs(found - one).mean() < apart < np.abs(found - other).mean()


def test_a_model_that_another_image_has_grown_is_let_be(workshop: Workshop) -> None:
    """As of a run that was suspended when the model was there, and resumed after an upgrade."""
    workshop.deliver(data_csv=rows(200))
    ingested, spec = workshop.ingest(), classification(estimator=estimator((XGB, FEW)))
    for image in ("registry.example/runner@sha256:0", "registry.example/runner@sha256:1"):
        together(workshop, ingested, spec, image=image)
        del workshop.store.objects[
            next(key for key in workshop.store.objects if key.endswith("/parts/scheduler"))
        ]
    kept = [key for key in workshop.store.objects if "/parts/model-" in key]
    assert len(kept) == 2


def test_numbers_are_learnt_by_three_pods(workshop: Workshop) -> None:
    spec = regression(estimator=estimator(("lightgbm.LGBMRegressor", FEW)))
    workshop.deliver(data_csv=rows(240, line="{a},{b},{a}.5"))
    ingested = workshop.ingest()
    result, alone = together(workshop, ingested, spec, 3), workshop.train(ingested, spec)
    found, one = (
        {metric["name"]: metric["value"] for metric in each["metrics"]}["r2"]
        for each in (result, alone)
    )
    assert found == pytest.approx(one, abs=0.02)


REFUSED: dict[str, tuple[tuple[Any, ...], str, tuple[str, ...]]] = {
    "another estimator": (
        ("sklearn.linear_model.LogisticRegression",),
        "EstimatorRefused",
        ("spec.distributed", "LogisticRegression", "add a search"),
    ),
    "trees that want all rows": (
        ((XGB, {"tree_method": "exact"}),),
        "ParameterInvalid",
        ("params.tree_method", "'exact'", "hist and approx"),
    ),
    "a transformer that knows its own rows": (
        (
            columns(
                {
                    "name": "t",
                    "columns": ["a"],
                    "class": "sklearn.preprocessing.TargetEncoder",
                }
            ),
            (XGB, FEW),
        ),
        "EstimatorRefused",
        ("steps (s0)", "TargetEncoder", "spec.distributed"),
    ),
    "a value out of range": (
        ((XGB, {"subsample": 3}),),
        "ParameterInvalid",
        ("XGBClassifier", "subsample"),
    ),
    "fewer rows than pods": (
        ((XGB, FEW),),
        "SpecInvalid",
        ("spec.distributed.workers: 64 pods", "14 rows"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_by_the_first_pod_before_it_waits(workshop: Workshop, name: str) -> None:
    steps, reason, tells = REFUSED[name]
    workshop.deliver(data_csv=rows(20))
    spec = classification(estimator=estimator(*steps))
    document = {**workshop.train_document(workshop.ingest(), spec), "workers": 64}
    if name != "fewer rows than pods":
        document["workers"] = 2
    with pytest.raises(Failure) as caught:
        pod(workshop, document, "pod").run()
    assert (caught.value.reason, caught.value.exit_code) == (reason, Exit.USER)
    for words in tells:
        assert words in caught.value.message


def test_a_pod_that_leaves_and_comes_back_is_waited_for(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, left = Hands.grow, []

    def leave_once(hands: Hands, *asked: Any) -> Any:
        if hands.share.number and not left:
            worker = get_worker()
            left.append(worker.address)
            worker.loop.add_callback(worker.close)
        return whole(hands, *asked)

    spec = classification(estimator=estimator((XGB, FEW)))
    workshop.deliver(data_csv=rows(200))
    ingested = workshop.ingest()
    undisturbed = together(workshop, ingested, spec)
    clear(workshop)
    monkeypatch.setattr(Hands, "grow", leave_once)
    monkeypatch.setattr(turns, "LOOK_SECONDS", 0.05)
    assert together(workshop, ingested, spec)["artifact"] == undisturbed["artifact"]
    assert len(left) == 1


def test_a_fault_that_repeats_while_all_pods_stay_is_told_as_one_of_the_fit(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hands, "grow", lambda *_: Answer(ended=-signal.SIGSEGV))
    workshop.deliver(data_csv=rows(200))
    spec = classification(estimator=estimator((XGB, FEW)))
    document = {**workshop.train_document(workshop.ingest(), spec), "workers": 2}
    first, other = (pod(workshop, document, f"pod-{number}") for number in range(2))
    with beside([other]):
        with pytest.raises(Failure) as caught:
            first.run()
        Board(workshop.store, layout.parts_prefix(first.document.identity.output)).put(Notice())
    assert (caught.value.reason, caught.value.exit_code) == ("FitFailed", Exit.USER)
    assert "no pod was lost, the last one so: a process ended with -11;" in caught.value.message


SLOW = regression(estimator=estimator(("xgboost.XGBRegressor", {**FEW, "n_estimators": 60})))


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[[int], "subprocess.Popen[str]"]]:
    running: list[subprocess.Popen[str]] = []

    def start_one(worker: int) -> "subprocess.Popen[str]":
        running.append(start(tmp_path, worker))
        return running[-1]

    yield start_one
    for process in running:
        process.kill()
        process.wait(30)


def says(folder: Path, text: str) -> None:
    log, end = folder / "0.log", time.monotonic() + 200
    while text not in log.read_text():
        assert time.monotonic() < end, log.read_text()[-2000:]
        time.sleep(0.05)


def test_a_pod_that_is_lost_is_replaced_and_it_begins_anew_to_the_same_end(
    tmp_path: Path, begin: Callable[[int], "subprocess.Popen[str]"]
) -> None:
    workshop = Workshop(tmp_path, store=FolderStorage(tmp_path / "bucket"))
    workshop.deliver(data_csv=rows(2000))
    document = {**workshop.train_document(workshop.ingest(), SLOW), "workers": 2}
    (tmp_path / "document.json").write_text(json.dumps(document))
    other, first = begin(1), begin(0)
    says(tmp_path, "try 1 in 2 pods")
    other.send_signal(signal.SIGKILL)
    begin(1)
    out, _ = first.communicate(timeout=240)
    told = (tmp_path / "0.log").read_text()
    assert first.returncode == 0, told[-3000:]
    assert "try 2 in 2 pods" in told
    undisturbed = Workshop(tmp_path / "undisturbed")
    undisturbed.folder.mkdir()
    undisturbed.deliver(data_csv=rows(2000))
    assert json.loads(out) == together(undisturbed, undisturbed.ingest(), SLOW)["artifact"]
