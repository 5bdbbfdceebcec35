"""Growing trees with others: what runs in a process of its own in each pod.

A collective that loses one of its processes cannot go on, and neither library then lets go of
its process in order: so it is one that can be ended. Rows come as files; the model goes back.
"""

import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from tidemill.store import digests

ALONE = 70
# The slowest pod may still transform its rows. Who is lost is not noticed by this.
WAIT_SECONDS = 3600

# Which pods there were is no part of a model, nor where they listened.
_PODS = re.compile(
    r"^\[(?:machines|local_listen_port|num_machines|time_out|num_threads): .*\]\n", re.MULTILINE
)


@dataclass(frozen=True)
class Recipe:
    """How trees are to be grown: parameters by the names of the library's own `train`."""

    library: str
    params: Mapping[str, Any]
    rounds: int


@dataclass(frozen=True)
class Meeting:
    """Where the processes of one try find each other: XGBoost's tracker, or all of LightGBM's."""

    number: int
    tracker: Mapping[str, Any]
    machines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    folder: Path
    recipe: Recipe
    meeting: Meeting
    threads: int


@dataclass(frozen=True)
class Answer:
    """What came of a process: a model, of which the first alone gives the bytes; or why not.

    `error` is the name of an exception's class; `ended` the exit code of a process without a word,
    whom nobody here has ended.
    """

    digest: str = ""
    model: bytes = b""
    error: str = ""
    text: str = ""
    ended: int | None = None


def lay_out(folder: Path, rows: Any, target: Any, weights: Any) -> None:  # noqa: ANN401
    """Write a pod's rows where its process reads them."""
    if sparse.issparse(rows):
        sparse.save_npz(folder / "rows.npz", rows, compressed=False)
    else:
        np.save(folder / "rows.npy", rows, allow_pickle=False)
    np.save(folder / "target.npy", target, allow_pickle=False)
    if weights is not None:
        np.save(folder / "weights.npy", weights, allow_pickle=False)


def work(answers: connection.Connection, task: Task) -> None:
    """Grow trees with the others of a meeting, and answer."""
    _begin()
    try:
        grow = _xgboost if task.recipe.library == "xgboost" else _lightgbm
        model = grow(task)
    except Exception as error:
        answers.send(Answer(error=type(error).__name__, text=str(error)[:4000]))
        return
    digest = digests.sha256_digest(model)
    answers.send(Answer(digest, b"" if task.meeting.number else model))


def track(told: connection.Connection, host: str, count: int) -> None:
    """Be the tracker through which XGBoost's processes find each other, until ended."""
    _begin()
    from xgboost.tracker import RabitTracker  # noqa: PLC0415

    tracker = RabitTracker(n_workers=count, host_ip=host, sortby="task", timeout=WAIT_SECONDS)
    tracker.start()
    told.send(tracker.worker_args())
    tracker.wait_for()


def _begin() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Both libraries tell there, whatever is asked, where they listen and whom they have met.
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 1)


def _end_with_parent() -> None:
    """A pod that is killed leaves no process behind that waits for others in C."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(ALONE)


def _xgboost(task: Task) -> bytes:
    import xgboost  # noqa: PLC0415 - only images for boosted models have it
    from xgboost import collective  # noqa: PLC0415

    xgboost.set_config(verbosity=0)
    meeting, params = task.meeting, {"n_jobs": task.threads, **task.recipe.params}
    rows, target, weights = _read(task.folder)
    given = {"label": target, "weight": weights, "nthread": params["n_jobs"]}
    named = {"dmlc_task_id": f"{meeting.number:08}", "dmlc_timeout": WAIT_SECONDS}
    with collective.CommunicatorContext(**meeting.tracker, **named):
        if params.get("tree_method") == "approx":
            matrix = xgboost.DMatrix(rows, **given)
        else:
            matrix = xgboost.QuantileDMatrix(rows, **given, max_bin=params.get("max_bin") or 256)
        booster = xgboost.train(params, matrix, task.recipe.rounds, verbose_eval=False)
        return bytes(booster.save_raw("ubj"))


def _lightgbm(task: Task) -> bytes:
    import lightgbm  # noqa: PLC0415

    meeting = task.meeting
    rows, target, weights = _read(task.folder)
    params = {
        "n_jobs": task.threads,
        **task.recipe.params,
        "machines": ",".join(meeting.machines),
        "local_listen_port": int(meeting.machines[meeting.number].rpartition(":")[2]),
        "num_machines": len(meeting.machines),
        "tree_learner": "data",
        "pre_partition": True,
        "time_out": WAIT_SECONDS // 60,
    }
    data = lightgbm.Dataset(rows, label=target, weight=weights)
    booster = lightgbm.train(params, data, task.recipe.rounds)
    return _PODS.sub("", booster.model_to_string()).encode()


def _read(folder: Path) -> tuple[Any, Any, Any]:
    packed, weights = folder / "rows.npz", folder / "weights.npy"
    rows = sparse.load_npz(packed) if packed.exists() else _mapped(folder / "rows.npy")
    return rows, _mapped(folder / "target.npy"), _mapped(weights) if weights.exists() else None


def _mapped(path: Path) -> Any:  # noqa: ANN401
    return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
