"""Scripts and containers that do wrong, each told with its field, its line and the way out."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import skops.io
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from tests.unit.runner.user_code.conftest import MakePod
from tests.unit.runner.user_code.pod import SKLEARN, Pod, container, script
from tests.unit.runner.workshop import rows

from tidemill.store import package
from tidemill_runner.failures import Failure
from tidemill_runner.user_code import taken

HEAD = "from sklearn.linear_model import LogisticRegression\n"


def body(*lines: str) -> str:
    return HEAD + "def train(data, params, context):\n" + "".join(f"    {one}\n" for one in lines)


WRONG: dict[str, tuple[str, str]] = {
    "a syntax error": (
        "def train(data, params, context):\n    return (\n",
        "train.py, line 2: SyntaxError: '(' was never closed",
    ),
    "no such function": (
        "def fit(data):\n    pass\n",
        "train.py has no function train; it has fit: define it, or name another in spec.estimator.",
    ),
    "an import that is not there": (
        "import no_such_library\n",
        "train.py, line 1, in <module>: ModuleNotFoundError: No module named 'no_such_library'",
    ),
    "an exception": (
        body("model = LogisticRegression()", "raise KeyError('price')"),
        "train.py, line 4, in train: KeyError: 'price'",
    ),
    "an exception in a library": (
        body("return LogisticRegression(C=-1).fit(data.features, data.target)"),
        "train.py, line 3, in train: InvalidParameterError: The 'C' parameter",
    ),
    "too few arguments": (
        "def train(data):\n    return 1\n",
        "TypeError: train() takes 1 positional argument but 3 were given",
    ),
    "nothing returned": (body("pass"), "train returned nothing (None): return a fitted"),
    "a number returned": (body("return 3"), "train returned a value of type int: return a fitted"),
    "a class returned": (
        body("return LogisticRegression"),
        "train returned the class LogisticRegression: return a fitted",
    ),
    "a model that is not fitted": (
        body("return LogisticRegression()"),
        "train returned a LogisticRegression that is not fitted: fit it",
    ),
    "sys.exit(1)": (
        f"import sys\n{body('sys.exit(1)')}",
        "train.py called sys.exit(1): let it return its model",
    ),
    "sys.exit(0)": (
        f"import sys\n{body('sys.exit(0)')}",
        "train.py called sys.exit(0): let it return its model",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_script_that_fails_says_where_and_why(pods: MakePod, case: str) -> None:
    text, words = WRONG[case]
    pod = pods()
    pod.mount(text)
    pod.provide()
    ended = pod.run()
    last = ended.words.splitlines()[-1]
    assert ended.code == 1
    assert words in last
    assert "tidemill_call" not in last


def test_the_trace_has_none_of_our_lines(pods: MakePod) -> None:
    pod = pods()
    pod.mount(body("deeper()") + "def deeper():\n    raise ValueError('deep')\n")
    pod.provide()
    ended = pod.run()
    assert ended.words.splitlines()[-1] == "train.py, line 5, in deeper: ValueError: deep"
    assert "tidemill_call.py" not in ended.words
    assert "deeper()" in ended.words


def judged(pod: Pod) -> Failure:
    with pytest.raises(Failure) as caught:
        pod.judge()
    assert not [key for key in pod.workshop.store.objects if key.startswith("models/")]
    return caught.value


def run(pod: Pod, text: str) -> Failure:
    pod.mount(text)
    pod.provide()
    pod.run()
    return judged(pod)


def test_one_that_ends_its_process_with_success_has_left_no_model(pods: MakePod) -> None:
    failure = run(pods(), f"import os\n{body('os._exit(0)')}")
    assert failure.reason == "FitFailed"
    assert "spec.estimator.script: it ended well and wrote no model" in failure.message


OWN_CLASS = """
from sklearn.base import BaseEstimator, ClassifierMixin

class Mine(ClassifierMixin, BaseEstimator):
    def fit(self, features, target):
        self.classes_ = sorted(set(target))
        return self
    def predict(self, features):
        return [self.classes_[0]] * len(features)

def train(data, params, context):
    return Mine().fit(data.features, data.target)
"""
REFUSED: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "a function of its own": (
        "from sklearn.preprocessing import FunctionTransformer as F\n"
        "def own(rows):\n    return rows\n" + body("return F(own).fit(data.features)"),
        "ModelNotPackable",
        ("own", "without code"),
    ),
    "a class of its own": (OWN_CLASS, "ModelNotPackable", ("train.Mine", "without code")),
    "a regressor for classes": (
        SKLEARN.replace("LogisticRegression", "Ridge"),
        "FitFailed",
        ("it made a Ridge", "needs a classifier"),
    ),
    "a scaler": (
        "from sklearn.preprocessing import StandardScaler\n"
        + body("return StandardScaler().fit(data.features)"),
        "FitFailed",
        ("it made a StandardScaler", "needs a classifier"),
    ),
    "other features": (
        body("return LogisticRegression().fit(data.features[:, :1], data.target)"),
        "FitFailed",
        ("takes 1 features, the data has 2",),
    ),
    "other classes": (
        body("return LogisticRegression().fit(data.features, data.target + 5)"),
        "FitFailed",
        ("knows the classes 5, 6, the target has 0, 1",),
    ),
    "classes as texts": (
        body("return LogisticRegression().fit(data.features, data.target.astype(str))"),
        "FitFailed",
        ("knows the classes '0', '1', the target has 0, 1",),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_model_that_is_none_for_the_task_is_refused(pods: MakePod, case: str) -> None:
    text, reason, tells = REFUSED[case]
    failure = run(pods(), text)
    assert failure.reason == reason
    assert failure.message.startswith("spec.estimator.script: ")
    for words in tells:
        assert words in failure.message


def test_an_infinite_loss_is_told(pods: MakePod) -> None:
    text = (
        SKLEARN.replace("LogisticRegression", "Ridge").replace("return ", "model = ")
        + "    model.coef_ = model.coef_ * 1e308\n    model.intercept_ = 1e308\n    return model\n"
    )
    failure = run(pods(task="Regression"), text)
    assert failure.reason == "LossNotFinite"
    assert failure.message.startswith("spec.estimator.script: ")


def test_a_model_that_does_not_answer_for_the_rows_held_out_is_told(pods: MakePod) -> None:
    """Some of the numbers that it is asked with it has never seen the likes of."""
    text = """
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

def train(data, params, context):
    return make_pipeline(OneHotEncoder(), LogisticRegression()).fit(data.features, data.target)
"""
    failure = run(pods(), text)
    assert failure.reason == "FitFailed"
    assert "does not answer for the rows held out (ValueError: Found unknown" in failure.message


Writes = Callable[[Path], None]


def dumped(model: Any) -> Writes:
    return lambda out: skops.io.dump(model, out / "model.skops")


def fitted(kind: Any = LogisticRegression) -> Any:
    return kind().fit([[0.0, 0.0], [1.0, 1.0]], [0, 1])


def linked(out: Path) -> None:
    (out / "model.skops").symlink_to("/etc/passwd")


def piped(out: Path) -> None:
    os.mkfifo(out / "model.skops")


def text(name: str, content: str) -> Writes:
    return lambda out: (out / name).write_text(content) and None


def pickled(out: Path) -> None:
    (out / "model.skops").write_bytes(b"\x80\x04K\x01.")


def calling(out: Path) -> None:
    skops.io.dump(Pipeline([("f", FunctionTransformer(os.getpid)), ("m", fitted())]), out / "x")
    (out / "x").rename(out / "model.skops")


def trees_without(out: Path) -> None:
    dumped(fitted())(out)
    (out / "trees.json").write_text('{"library": "xgboost", "classes": [0, 1]}')


def trees_that_are_none(out: Path) -> None:
    trees_without(out)
    (out / "model.ubj").write_bytes(b"{L\x00\x00\x00garbage")


def strange_trees(out: Path) -> None:
    dumped(fitted())(out)
    (out / "trees.json").write_text('{"library": "../../etc/passwd", "classes": [0, 1]}')


WRITTEN: dict[str, tuple[Writes, str, tuple[str, ...]]] = {
    "nothing": (
        lambda _: None,
        "FitFailed",
        (
            "it ended well and wrote no model: let it write model.onnx or model.skops to",
            "TIDEMILL_OUT",
        ),
    ),
    "a link": (linked, "FitFailed", ("model.skops is no plain file",)),
    "a pipe": (piped, "FitFailed", ("model.skops is no plain file",)),
    "a pickle": (pickled, "ModelNotPackable", ("is not taken",)),
    "garbage": (text("model.skops", "garbage"), "ModelNotPackable", ("is not taken",)),
    "a call of the system": (calling, "ModelNotPackable", ("getpid",)),
    "no estimator": (dumped({"a": 1}), "FitFailed", ("it made a dict, which is no estimator",)),
    "a scaler": (dumped(StandardScaler().fit([[0.0, 1.0]])), "FitFailed", ("StandardScaler",)),
    "a regressor": (dumped(fitted(Ridge)), "FitFailed", ("it made a Ridge",)),
    "trees that are not there": (trees_without, "FitFailed", ("trees.json names no trees",)),
    "trees of a strange name": (strange_trees, "FitFailed", ("trees.json names no trees",)),
    "trees that are none": (trees_that_are_none, "ModelNotPackable", ("is not taken",)),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_what_a_container_wrote_and_cannot_be_taken_is_told(pods: MakePod, case: str) -> None:
    write, reason, tells = WRITTEN[case]
    pod = pods(estimator=container())
    pod.provide()
    write(pod.rooms.output)
    failure = judged(pod)
    assert failure.reason == reason
    assert failure.message.startswith("spec.estimator.container: ")
    for words in tells:
        assert words in failure.message


def test_a_model_larger_than_a_package_is_refused_unread(
    pods: MakePod, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = pods(estimator=container())
    pod.provide()
    with (pod.rooms.output / "model.skops").open("wb") as file:
        file.truncate(package.MAX_MODEL_BYTES + 1)
    monkeypatch.setattr(taken.subprocess, "run", lambda *_, **__: pytest.fail("it was read"))
    failure = judged(pod)
    assert failure.reason == "ModelNotPackable"
    assert "model.skops has 8,589,934,593 bytes, more than the 8,589,934,592" in failure.message


def test_a_file_that_ends_the_process_that_loads_it_ends_no_other(
    pods: MakePod, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = pods(estimator=container())
    pod.provide()
    dumped(fitted())(pod.rooms.output)
    crash = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    path = pod.folder / "crash.py"
    path.write_text(f"#!/usr/bin/env python3\n{crash}\n")
    path.chmod(0o755)
    monkeypatch.setattr(taken.sys, "executable", str(path))
    failure = judged(pod)
    assert failure.reason == "ModelNotPackable"
    assert "loading or asking it ends the process (signal 11)" in failure.message


def test_a_model_of_another_release_is_told_by_both(pods: MakePod) -> None:
    pod = pods(estimator=container())
    pod.provide()
    model = fitted()
    model.__dict__["_sklearn_version"] = "1.0.2"
    state = type(model).__getstate__

    class Old(LogisticRegression):
        def __getstate__(self) -> Any:
            return {**state(self), "_sklearn_version": "1.0.2"}

    old = Old()
    old.__dict__.update(model.__dict__)
    Old.__name__, Old.__module__ = LogisticRegression.__name__, LogisticRegression.__module__
    Old.__qualname__ = LogisticRegression.__qualname__
    dumped(old)(pod.rooms.output)
    failure = judged(pod)
    assert failure.reason == "ModelNotPackable"
    assert "was fitted with scikit-learn 1.0.2 and is served with 1." in failure.message


LOGGED = {
    "no JSON": "{",
    "a list": "[1, 2]",
    "texts": '{"loss": ["a"], "x": "y", "z": null}',
    "deep": '{"loss": [[1]], "n": [1e999, true]}',
}


@pytest.mark.parametrize("case", LOGGED)
def test_numbers_that_are_none_are_no_part_of_the_result(pods: MakePod, case: str) -> None:
    pod = pods(estimator=container())
    pod.provide()
    dumped(fitted())(pod.rooms.output)
    (pod.rooms.output / "logged.json").write_text(LOGGED[case])
    if case == "no JSON":
        assert "logged.json is no JSON" in judged(pod).message
    else:
        assert "logged" not in pod.judge()["code"]


def test_before_anything_is_read_the_spec_is_judged(pods: MakePod) -> None:
    pod = pods(evaluation={"metrics": ["rmse"]})
    pod.mount(SKLEARN)
    with pytest.raises(Failure, match="'rmse' is no metric of Classification"):
        pod.provide()


def test_data_that_cannot_be_learnt_is_refused_before_the_code_runs(pods: MakePod) -> None:
    pod = pods(data=rows(line="1,2,{y}"))
    pod.mount(SKLEARN)
    with pytest.raises(Failure, match="have one value each"):
        pod.provide()
    assert not (pod.rooms.state / "code.json").exists()


def test_there_is_nothing_to_print_that_is_secret(pods: MakePod) -> None:
    """The container has a few files of data and a few variables, and no other of ours."""
    pod = pods(estimator=script(params={"C": 1}))
    pod.mount(SKLEARN)
    pod.provide()
    names = {str(p.relative_to(pod.rooms.input)) for p in pod.rooms.input.rglob("*") if p.is_file()}
    assert names == {
        *("call.json", "columns.json", "params.json", "tidemill_call.py", "code/train.py"),
        *("numbers.npy", "target.npy"),
    }
    words = b"".join(p.read_bytes() for p in pod.rooms.input.rglob("*") if p.is_file())
    config = pod.workshop.store.config
    for ours in (f'"{config.secret_key}"', config.endpoint, "runs/ns"):
        assert ours.encode() not in words
    told = json.loads((pod.rooms.input / "columns.json").read_text())
    assert "uid" not in told
