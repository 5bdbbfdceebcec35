"""The rules of a TrainingRun's template: what it takes, what it refuses and what it then says."""

from typing import Any

import pytest

IMAGE = "registry.example/side@sha256:" + "0a" * 32
SPACE = {"name": "space", "emptyDir": {"sizeLimit": "1Gi"}}
RESERVED = "TIDEMILL_, PYTHON, LD_ and PATH decide what runs and are Tidemill's: take another"
VALUE = "a variable has exactly one of value and valueFrom"
PLACE = "exactly one place must be named: secretKeyRef or configMapKeyRef"
SOURCE = "a volume is exactly one of emptyDir, configMap, secret, persistentVolumeClaim"
PATH = "mountPath is /dev/shm or below /mnt/ or /data/: elsewhere lie the image's files"
UP = "mountPath has no .. in it"
ABSENT = "volumeMounts name what is not in volumes: add it there"
ABSENT_BESIDE = "volumeMounts of a sidecar name what is not in volumes: add it there"
NAMED = "a sidecar is not named as one of Tidemill's containers: take another name"
DIGEST = "image must be named by digest (name@sha256:…), so that a record stays one"


def env(**variable: Any) -> dict[str, Any]:
    return {"template": {"env": [{"name": "A", **variable}]}}


def mounted(path: str, name: str = "space") -> dict[str, Any]:
    mount = {"name": name, "mountPath": path}
    return {"template": {"volumes": [SPACE], "volumeMounts": [mount]}}


def sidecar(mount: str | None = None, **fields: Any) -> dict[str, Any]:
    mounts = {"volumeMounts": [{"name": mount, "mountPath": "/mnt/a"}]} if mount else {}
    one = {"name": "side", "image": IMAGE, **mounts, **fields}
    return {"template": {"volumes": [SPACE], "sidecars": [one]}}


def volume(**source: Any) -> dict[str, Any]:
    return {"template": {"volumes": [{"name": "v", **source}]}}


KEY = {"name": "s", "key": "k"}
TWO = {"configMap": {"name": "c"}, "secret": {"secretName": "s"}}
CASES: tuple[tuple[str, dict[str, Any], dict[str, Any], str], ...] = (
    *(
        (f"a variable named {bad}", env(name=good, value="1"), env(name=bad, value="1"), RESERVED)
        for good, bad in (
            ("MY_TIDEMILL_", "TIDEMILL_TOKEN"),
            ("MYPYTHONPATH", "PYTHONPATH"),
            ("LD", "LD_PRELOAD"),
            ("PATHS", "PATH"),
        )
    ),
    ("a variable without a value", env(value=""), env(), VALUE),
    (
        "a variable of two values",
        env(valueFrom={"secretKeyRef": KEY}),
        env(value="1", valueFrom={"secretKeyRef": KEY}),
        VALUE,
    ),
    ("a value from nowhere", env(valueFrom={"configMapKeyRef": KEY}), env(valueFrom={}), PLACE),
    (
        "a value from two places",
        env(valueFrom={"secretKeyRef": KEY}),
        env(valueFrom={"secretKeyRef": KEY, "configMapKeyRef": KEY}),
        PLACE,
    ),
    ("a volume of nothing", volume(configMap={"name": "c"}), volume(), SOURCE),
    ("a volume of two", volume(persistentVolumeClaim={"claimName": "c"}), volume(**TWO), SOURCE),
    *(
        (f"mounted at {bad}", mounted(good), mounted(bad), PATH)
        for good, bad in (
            ("/dev/shm", "/dev"),
            ("/mnt/a", "/mnt"),
            ("/data/a/b", "/etc/tidemill/input"),
            ("/data/", "/database/x"),
        )
    ),
    ("mounted elsewhere", mounted("/mnt/..a"), mounted("/mnt/../etc"), UP),
    ("mounts nothing", mounted("/mnt/a"), mounted("/mnt/a", "other"), ABSENT),
    ("a sidecar mounts nothing", sidecar("space"), sidecar("other"), ABSENT_BESIDE),
    *(
        (f"a sidecar named {bad}", sidecar(name=f"{bad}s"), sidecar(name=bad), NAMED)
        for bad in ("runner", "collect", "prepare", "conclude")
    ),
    ("a sidecar by tag", sidecar(), sidecar(image="registry.example/side:1"), DIGEST),
)
RULES = [
    pytest.param("TrainingRun", good, bad, message, id=name) for name, good, bad, message in CASES
]
TERM = {"labelSelector": {"matchLabels": {"app": "a"}}, "topologyKey": "kubernetes.io/hostname"}
NODES = {"matchExpressions": [{"key": "gpu", "operator": "In", "values": ["a100"]}]}
FULL_TEMPLATE: dict[str, Any] = {
    "resources": {"limits": {"memory": "1Gi", "nvidia.com/gpu": 1}},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
    "priorityClassName": "low",
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [NODES]},
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": NODES}],
        },
        "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [TERM]},
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 100, "podAffinityTerm": TERM}
            ]
        },
    },
    "env": [
        {"name": "PLAIN", "value": "1"},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": KEY}},
        {"name": "CONFIG", "valueFrom": {"configMapKeyRef": KEY}},
    ],
    "volumes": [
        {"name": "shm", "emptyDir": {"sizeLimit": "1Gi", "medium": "Memory"}},
        {"name": "config", "configMap": {"name": "c"}},
        {"name": "key", "secret": {"secretName": "s"}},
        {"name": "claim", "persistentVolumeClaim": {"claimName": "c", "readOnly": True}},
    ],
    "volumeMounts": [
        {"name": "shm", "mountPath": "/dev/shm"},
        {"name": "config", "mountPath": "/mnt/config", "readOnly": True},
        {"name": "key", "mountPath": "/mnt/key", "readOnly": True},
        {"name": "claim", "mountPath": "/data/claim"},
    ],
    "sidecars": [
        {
            "name": "side",
            "image": IMAGE,
            "command": ["side"],
            "args": ["--port=1"],
            "env": [{"name": "A", "value": "1"}],
            "resources": {"limits": {"memory": "64Mi"}},
            "volumeMounts": [{"name": "shm", "mountPath": "/mnt/shm"}],
        }
    ],
}
