"""A run whose model a user's code fits: what its pod is like, what the runner is told. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from tidemill.api.v1alpha1.estimator import Estimator
from tidemill.api.v1alpha1.prepare import Program
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.api.v1alpha1.user_code import S3Script, Script
from tidemill.children.foreign import FOREIGN, SCRIPT, TRAIN
from tidemill.children.pods import WORKER, Diagnosis
from tidemill.jobs.between import IN_DIR, Middle
from tidemill.jobs.ranks import Ranks
from tidemill.jobs.words import last_words
from tidemill.store.config import StoreConfig

FIRST, LAST = "provide", "judge"
SHIM = "tidemill_call.py"
ROOM = {"out": "10Gi", "checkpoint": "5Gi", "code-tmp": "4Gi", "state": "20Gi"}
# Nothing is written beside the code, which may be read only; sets have the same order each time.
PYTHON = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}


def is_code(estimator: Estimator) -> bool:
    """Tell whether code of the user's fits the model."""
    return bool(estimator.script or estimator.container)


def parallelism(estimator: Estimator) -> int:
    """Count the pods that run the code at the same time."""
    code = estimator.script or estimator.container
    return code.parallelism if code else 1


def is_known(estimator: Estimator) -> bool:
    """Tell whether the spec says all of the code: a ConfigMap may hold another thing each time."""
    script = estimator.script
    return not (script and script.config_map and script.config_map.digest is None)


def middle(spec: TrainingRunSpec, image: str, ranks: Ranks | None = None) -> Middle | None:
    """Give the container that runs the code; `image` is the runner's.

    `ranks` are the pods that it runs in, where there are several.
    """
    told = ranks.env() if ranks else ()
    script, container = spec.estimator.script, spec.estimator.container
    if script:
        return _script(script, image, told)
    if container:
        command, args = tuple(container.command or ()), tuple(container.args or ())
        env = (*told, *_env(container))
        return Middle(
            TRAIN, container.image, FIRST, LAST, command, args, env, followed=True, room=ROOM
        )
    return None


def _script(script: Script, image: str, told: tuple[Mapping[str, Any], ...]) -> Middle:
    mounted = script.config_map
    own = tuple({"name": name, "value": value} for name, value in PYTHON.items())
    return Middle(
        SCRIPT,
        script.image or image,
        FIRST,
        LAST,
        ("python3", "-u", f"{IN_DIR}/{SHIM}"),
        env=(*told, *own),
        config_map=(mounted.name, mounted.key) if mounted else None,
        followed=True,
        room=ROOM,
    )


def _env(program: Program) -> tuple[Mapping[str, str], ...]:
    return tuple(one.model_dump() for one in program.env or ())


def is_elsewhere(estimator: Estimator) -> bool:
    """Tell whether code or model are fetched from another place than our own store."""
    script, brought = estimator.script, estimator.import_
    buckets = (script.s3 if script else None, brought.s3 if brought else None)
    return bool(script and script.git) or any(one and one.endpoint for one in buckets)


def secret(estimator: Estimator) -> str | None:
    """Name the Secret that the script is fetched with."""
    script = estimator.script
    place = (script.git or script.s3) if script else None
    return place.credentials_ref.name if place and place.credentials_ref else None


def document(
    estimator: Estimator, store: StoreConfig, networks: Iterable[str]
) -> dict[str, Any] | None:
    """Say what the runner has to know of the code beside the spec."""
    script = estimator.script
    if script is None or script.config_map:
        return None
    if script.s3:
        return _bucket(script.s3, store)
    return {"allowedNetworks": list(networks), "keys": secret(estimator) is not None}


def _bucket(s3: S3Script, store: StoreConfig) -> dict[str, Any]:
    return {
        "endpoint": s3.endpoint or store.endpoint,
        "region": s3.region or store.region,
        "pathStyle": store.path_style if s3.path_style is None else s3.path_style,
        "keys": s3.credentials_ref is not None,
    }


def is_of_code(found: Diagnosis) -> bool:
    """Tell whether it was the code that ended badly."""
    return found.container in (SCRIPT, TRAIN) and found.reason is FOREIGN[found.container].reason


def told(found: Diagnosis, *, sensitive: bool) -> Diagnosis:
    """Add the code's last words to what is said of its end, where its data may be seen."""
    if sensitive and found.container != WORKER:
        found = replace(found, log=())
    words = "its log is not shown here, since the Dataset has sensitive columns"
    if sensitive:
        # Ours tell of rows as well.
        found = replace(found, log=())
    else:
        words = last_words(found.log)
    return replace(found, message=f"{found.message}; {words}") if is_of_code(found) else found
