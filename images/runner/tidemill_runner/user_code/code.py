"""What a user's code is, where a script comes from, and what of it a record tells."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SCRIPT, CONTAINER = "script", "container"


@dataclass(frozen=True)
class MountedScript:
    """A key of a ConfigMap, which the kubelet has put into a file."""

    name: str
    key: str
    digest: str | None

    @property
    def field(self) -> str:
        return "spec.estimator.script.configMap"

    @property
    def file(self) -> str:
        return self.key

    def told(self) -> dict[str, Any]:
        return {"configMap": self.name, "key": self.key}


@dataclass(frozen=True)
class GitScript:
    """A file of a commit; `keys` says whether a Secret opens the repository."""

    url: str
    commit: str
    path: str
    allowed_networks: tuple[str, ...] = ()
    keys: bool = False

    @property
    def field(self) -> str:
        return "spec.estimator.script.git"

    @property
    def file(self) -> str:
        return self.path

    def told(self) -> dict[str, Any]:
        return {"git": self.url, "commit": self.commit, "path": self.path}


@dataclass(frozen=True)
class BucketScript:
    """An object; `keys` says whether a Secret opens the bucket."""

    endpoint: str
    region: str
    bucket: str
    key: str
    digest: str
    path_style: bool = True
    keys: bool = False

    @property
    def field(self) -> str:
        return "spec.estimator.script.s3"

    @property
    def file(self) -> str:
        return self.key

    def told(self) -> dict[str, Any]:
        return {"s3": f"s3://{self.bucket}/{self.key}"}


ScriptSource = MountedScript | GitScript | BucketScript


@dataclass(frozen=True)
class Code:
    """A script with its function, or a container; `image` is empty where it is the runner's."""

    kind: str
    image: str
    params: Mapping[str, Any] = field(default_factory=dict)
    source: ScriptSource | None = None
    function: str = ""
    format: str = "Parquet"
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    # Pods that run it together.
    parallelism: int = 1

    @property
    def field(self) -> str:
        """Where it stands in the spec."""
        return f"spec.estimator.{self.kind}"

    def lineage(self, digest: str | None) -> dict[str, Any]:
        """What a package tells of it; `digest` is the script's. What was not said is not."""
        if self.kind == SCRIPT:
            source = self.source.told() if self.source else {}
            said: dict[str, Any] = {"digest": digest, "function": self.function, "source": source}
        else:
            words = {"command": list(self.command), "args": list(self.args), "env": dict(self.env)}
            said = {name: value for name, value in words.items() if value}
        image = {"image": self.image} if self.image else {}
        ranks = {"parallelism": self.parallelism} if self.parallelism > 1 else {}
        return {self.kind: {**said, **image, **ranks, "params": dict(self.params)}}

    def facts(self, digest: str | None) -> dict[str, str]:
        """The same for people, by what each thing is."""
        [(kind, told)] = self.lineage(digest).items()
        flat = {**told, **told.pop("source", {})}
        words = {
            name: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
            for name, value in flat.items()
        }
        return {"fitted by": f"a {kind}", **words}


def read(estimator: Mapping[str, Any], beside: Mapping[str, Any]) -> Code | None:
    """The code of a spec, with what the operator tells beside it; None where steps are fitted."""
    if script := estimator.get(SCRIPT):
        return Code(
            kind=SCRIPT,
            image=script.get("image") or "",
            params=script.get("params") or {},
            source=_source(script, beside),
            function=script.get("function") or "train",
            parallelism=int(script.get("parallelism") or 1),
        )
    if container := estimator.get(CONTAINER):
        return Code(
            kind=CONTAINER,
            image=container["image"],
            params=container.get("params") or {},
            format=container.get("format") or "Parquet",
            command=tuple(container.get("command") or ()),
            args=tuple(container.get("args") or ()),
            env=tuple((one["name"], one["value"]) for one in container.get("env") or ()),
            parallelism=int(container.get("parallelism") or 1),
        )
    return None


def _source(script: Mapping[str, Any], beside: Mapping[str, Any]) -> ScriptSource:
    keys = beside.get("keys") is True
    if mounted := script.get("configMap"):
        key = mounted.get("key") or "train.py"
        return MountedScript(mounted["name"], key, mounted.get("digest"))
    if git := script.get("git"):
        networks = tuple(beside.get("allowedNetworks") or ())
        return GitScript(git["url"], git["commit"], git.get("path") or "train.py", networks, keys)
    s3 = script["s3"]
    return BucketScript(
        endpoint=beside["endpoint"],
        region=beside.get("region") or "us-east-1",
        bucket=s3["bucket"],
        key=s3["key"],
        digest=s3["digest"],
        path_style=beside.get("pathStyle") is not False,
        keys=keys,
    )
