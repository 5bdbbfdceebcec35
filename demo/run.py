"""From a bare machine to a prediction: everything that Tidemill does today, in one command.

It can be interrupted and repeated: what is done stays done, and a second run takes under a minute.
"""

import sys
import time
from pathlib import Path

from showcase import data, page, request, watch
from showcase.cluster import NAMESPACE, SYSTEM, Cluster
from showcase.failure import DemoError
from showcase.programs import ROOT, run, say, step

SAMPLE = ROOT / "manifests" / "samples" / "elec2"
FILES = ("dataset.yaml", "trainingrun.yaml", "modeldeployment.yaml")
OBJECTS = (("Dataset", "elec2"), ("TrainingRun", "elec2-hgb"), ("ModelDeployment", "elec2"))
TARGET = "target"
ROWS = 3
STEPS = 8


def prepare() -> None:
    """Everything that is not the sample: machine, cluster, images, operator."""
    python = sys.executable
    with step(1, STEPS, "Debian packages"):
        run(python, "tests/cluster/deps.py")
    with step(2, STEPS, "cluster (its programs are built the first time: about 12 min)"):
        run("make", "--no-print-directory", "cluster-up")
    with step(3, STEPS, "images (about 2 min the first time)"):
        run(python, "images/build.py")
    with step(4, STEPS, "operator, MinIO and the definitions of the kinds"):
        here = (python, "images/with_cluster.py")
        run(*here, python, "manifests/install.py", "--minio")


def show() -> str:
    """The sample: data, three objects, an answer; where its page is."""
    with step(5, STEPS, "data: Elec2, the electricity market of New South Wales"):
        data.fetch()
        cluster = Cluster.chosen()
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        data.deliver(cluster)
    with step(6, STEPS, "kubectl apply: a Dataset, a TrainingRun, a ModelDeployment"):
        files = [argument for name in FILES for argument in ("-f", str(SAMPLE / name))]
        say(cluster.run("apply", "-n", NAMESPACE, *files).rstrip())
    with step(7, STEPS, "the operator's work"):
        watch.until_done(cluster, OBJECTS)
    with step(8, STEPS, "what there is now"):
        for kind, _ in OBJECTS:
            say(f"\n$ kubectl -n {NAMESPACE} get {kind.lower()}")
            say(cluster.run("get", kind, "-n", NAMESPACE).rstrip())
        say()
        request.ask(cluster, "elec2", data.rows(ROWS), TARGET)
        say()
    say(ending(cluster))
    return page.address(cluster, "elec2")


TRY_NEXT = {
    f"kubectl -n {NAMESPACE} get tidemill -o wide": "all objects, and what they say",
    f"kubectl -n {NAMESPACE} get tmrun elec2-hgb -o yaml": "metrics, digests, addresses",
    "kubectl explain trainingrun.spec": "what can be written",
    f"kubectl -n {NAMESPACE} delete pods --all": "the model answers again by itself",
    "make demo": "again: nothing is done twice",
    "make cluster-down": "nothing of it stays but the cache",
}


def ending(cluster: Cluster) -> str:
    path = Path(cluster.kubectl).parent
    lines = [f"  {command:46} {meaning}" for command, meaning in TRY_NEXT.items()]
    return "\n".join(
        [
            "What to try next, with",
            f"  export KUBECONFIG={cluster.kubeconfig} PATH={path}:$PATH",
            "",
            *lines,
        ]
    )


def where_to_look() -> str:
    kubectl = "python3 images/with_cluster.py kubectl"
    return (
        f"Logs of the steps: {ROOT / 'build' / 'logs'}\n"
        f"Logs of the operator: {kubectl} -n {SYSTEM} logs deployment/tidemill-operator\n"
        f"Objects: {kubectl} -n {NAMESPACE} get tidemill,jobs,pods -o wide\n"
        f"It can be repeated. To begin the sample anew: {kubectl} delete namespace {NAMESPACE}"
    )


def main() -> int:
    began = time.monotonic()
    try:
        prepare()
        url = show()
    except DemoError as error:
        sys.stderr.write(f"\nerror: {error}\n\n{where_to_look()}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted; run it again to go on from here\n")
        return 130
    say(f"\ndone in {time.monotonic() - began:.0f} s")
    say(f"The model's page: {url}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
