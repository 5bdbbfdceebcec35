"""The three processes of a pod whose rows a container prepares, one after the other, on a store."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.contract.workbench import Outcome, Workbench

from tidemill.store import manifest
from tidemill_runner.exits import Exit
from tidemill_runner.paths import Paths

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "registry.example/clean@sha256:" + "c" * 64
SQL = "SELECT site, load * 2 AS twice FROM source WHERE load >= 10"
# What stands in the user's image: a program that knows two variables and nothing of ours.
PROGRAM = """
import os, pathlib
import pyarrow as pa, pyarrow.compute as pc, pyarrow.parquet as pq
source, target = (pathlib.Path(os.environ[f"TIDEMILL_{n}"]) for n in ("IN", "OUT"))
rows = pq.read_table(source / "source")
kept = rows.filter(pc.greater_equal(rows["load"], 10))
made = pa.table({"site": kept["site"], "twice": pc.multiply(kept["load"], 2)})
pq.write_table(made, target / "prepared.parquet")
"""
CSV = ("site,load\n" + "".join(f"{'ab'[n % 2]},{n}\n" for n in range(40))).encode()


def process(verb: str, paths: Paths) -> Exit:
    """Run a verb as a container of the pod does; gives how it ended."""
    names = ("input", "store", "source", "scratch", "token", "termination", "work", "state")
    environment = {f"TIDEMILL_{name.upper()}": str(getattr(paths, name)) for name in names}
    roots = (str(ROOT / part) for part in ("operator", "images/runner"))
    code = subprocess.run(
        [sys.executable, "-m", "tidemill_runner", verb],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(roots), **environment},
        check=False,
        timeout=120,
    ).returncode
    return Exit(code)


def user(program: str, paths: Paths) -> int:
    """Run what the user's image holds, with the two variables alone."""
    environment = {"TIDEMILL_IN": str(paths.work / "in"), "TIDEMILL_OUT": str(paths.work / "out")}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment, check=False, timeout=120).returncode


def pod(workbench: Workbench, program: str = PROGRAM, **asked: Any) -> Outcome:
    told = {"image": IMAGE, "format": "Parquet", "command": ["clean"]}
    prepare = {"container": told, "seconds": 60.0, "inputs": []}
    document = workbench.asked(prepare=prepare, **asked)
    paths = workbench.mount(document)
    assert process("collect", paths) is Exit.OK
    assert user(program, paths) == 0
    # The second half opens no source: it has not the keys to it.
    shutil.rmtree(paths.source)
    return workbench.outcome(process("conclude", paths), document, paths)


def test_the_three_make_what_a_query_makes(workbench: Workbench) -> None:
    workbench.deliver("one.csv", CSV)
    workbench.deliver("two.csv.gz", gzip.compress(CSV, mtime=0))
    outcome = pod(workbench)
    assert outcome.exit is Exit.OK, outcome.message
    queried = workbench.ingest(prepare={"sql": SQL, "seconds": 60.0, "inputs": []}).result
    made = outcome.result
    for fact in ("verb", "outcome", "rows", "objects", "columns", "from", "schema"):
        assert made[fact] == queried[fact], fact
    profiles = [json.loads(workbench.read(one["profile"])) for one in (made, queried)]
    assert profiles[0] == profiles[1]
    kept = manifest.parse(workbench.read(made["manifest"]), made["version"])
    assert kept.prepare == {"engine": "container", "image": IMAGE, "command": ["clean"]}
    assert b"wrote" in gzip.decompress(workbench.read(log(outcome, "log.gz")))
    assert b"reads source" in gzip.decompress(workbench.read(log(outcome, "collect-log.gz")))


def log(outcome: Outcome, name: str) -> str:
    return f"{outcome.output}{name}"


def test_the_same_pod_again_makes_the_same_version(workbench: Workbench) -> None:
    workbench.deliver("one.csv", CSV)
    assert pod(workbench).result["version"] == pod(workbench).result["version"]


def test_what_is_wrong_with_the_source_is_told_by_the_first(workbench: Workbench) -> None:
    workbench.deliver("one.csv", b"a,b\n1\n")
    told = {"image": IMAGE, "format": "Parquet"}
    document = workbench.asked(prepare={"container": told, "seconds": 60.0, "inputs": []})
    paths = workbench.mount(document)
    outcome = workbench.outcome(process("collect", paths), document, paths)
    assert (outcome.exit, outcome.reason) == (Exit.DATA, "RaggedRows")
    assert "one.csv" in outcome.message


def test_what_is_wrong_with_what_it_wrote_is_told_by_the_last(workbench: Workbench) -> None:
    workbench.deliver("one.csv", CSV)
    outcome = pod(workbench, "pass")
    assert (outcome.exit, outcome.reason) == (Exit.DATA, "PrepareFailed")
    assert "it wrote no file to the folder of TIDEMILL_OUT" in outcome.message
