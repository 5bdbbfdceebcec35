"""Every knob of the operator's process, read once from flags and environment into a frozen object.

A flag `--resync-seconds` can be given as `TIDEMILL_RESYNC_SECONDS`; flags win. What belongs to one
object is in its spec, never here.
"""

import argparse
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, cast

from tidemill.store.addresses import AllowedNetworks

PREFIX = "TIDEMILL_"
MODES = {"all_namespaces", "namespace"}
Value = bool | int | float | str | tuple[str, ...]


def _option(default: Value, text: str) -> Any:  # noqa: ANN401 - as dataclasses.field
    """Declare a setting with its help text beside it."""
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one operator process; defaults are right for production."""

    all_namespaces: bool = _option(False, "serve the whole cluster (needs ClusterRoles)")
    namespace: tuple[str, ...] = _option((), "namespaces to serve, comma-separated (Roles suffice)")
    kubeconfig: str = _option("", "file; without it: the service account, then the default file")
    workers: int = _option(16, "reconciles at the same time, per kind")
    reconcile_seconds: float = _option(120.0, "time limit of one reconcile")
    writes_per_second: float = _option(100.0, "writes to the API server, sustained")
    writes_burst: int = _option(200, "writes to the API server, at once")
    backoff_base_seconds: float = _option(1.0, "upper bound of the first pause after a failure")
    backoff_max_seconds: float = _option(300.0, "upper bound of every pause after failures")
    resync_seconds: float = _option(600.0, "every object is looked at about this often")
    drain_seconds: float = _option(20.0, "time for running reconciles to end on SIGTERM")
    retention_interval_seconds: float = _option(
        3600.0, "a namespace's versions are looked at for removal about this often"
    )
    retention_grace_seconds: float = _option(
        86400.0,
        "from being condemned to being removed, and how old what nobody names must be; keep it "
        "longer than an ingest may last on a node that is cut off (7 hours)",
    )
    stuck_seconds: float = _option(600.0, "/healthz fails when a key has waited this long")
    lease_namespace: str = _option("tidemill-system", "where the Lease lies")
    lease_name: str = _option("tidemill-operator", "its name; one per set of served namespaces")
    lease_seconds: float = _option(15.0, "others may take over after this long without renewal")
    renew_seconds: float = _option(10.0, "the leader ends itself after this long without renewal")
    lease_retry_seconds: float = _option(2.0, "pause between attempts to take or renew the Lease")
    identity: str = _option(
        "", "who holds the Lease; best the pod's UID, so that a restart need not wait"
    )
    listen: str = _option("0.0.0.0", "address of probes, metrics and progress")  # noqa: S104
    port: int = _option(8080, "its port")
    data_port: int = _option(8082, "port that `kubectl tidemill` reads data through")
    log_level: str = _option("info", "debug, info, warning or error")
    runner_image: str = _option("", "image of Jobs, by digest")
    server_image: str = _option("", "image of model servers, by digest")
    runner_boosting_image: str = _option("", "image of Jobs that train XGBoost and LightGBM")
    server_boosting_image: str = _option("", "image of the servers of their models")
    progress_url: str = _option("", "address at which Jobs reach this process")
    http_allowed_networks: tuple[str, ...] = _option(
        (),
        "networks (CIDRs, comma-separated) that source.http may reach beside public addresses, "
        "and source.sql and online stores beside public and private ones",
    )
    store_config: str = _option("/etc/tidemill/store-config", "directory with the store's address")
    store_credentials: str = _option("/etc/tidemill/store-credentials", "directory with its keys")
    die_at_write: int = _option(0, "for fault tests: end the process after the n-th API write")

    def __post_init__(self) -> None:
        """Refuse what contradicts itself, in words that name the flags."""
        try:
            AllowedNetworks.parse(self.http_allowed_networks)
        except ValueError as error:
            raise ValueError(f"--http-allowed-networks: {error}") from error
        if self.all_namespaces == bool(self.namespace):
            raise ValueError("give either --all-namespaces or --namespace NAME[,NAME...]")
        if not self.lease_seconds > self.renew_seconds > self.lease_retry_seconds > 0:
            raise ValueError(
                "it must hold: --lease-seconds > --renew-seconds > --lease-retry-seconds"
            )
        for name in (
            "workers",
            "writes_per_second",
            "writes_burst",
            "reconcile_seconds",
            "retention_interval_seconds",
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"--{name.replace('_', '-')} must be greater than 0")

    @property
    def scopes(self) -> tuple[str | None, ...]:
        """Give the namespaces to list in; one None stands for all of them."""
        return self.namespace or (None,)

    @classmethod
    def parse(
        cls, arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ
    ) -> "Settings":
        """Read flags, then the environment, then defaults; exit with a usage line on a mistake."""
        parser = argparse.ArgumentParser(prog="tidemill", description="The Tidemill operator.")
        for name, default, text in _options():
            _add(parser, name, default, text)
        given = {k: v for k, v in vars(parser.parse_args(arguments)).items() if v is not None}
        try:
            values = _from_environment(environment)
            if MODES & given.keys():  # a flag beats the other mode in the environment
                values = {k: v for k, v in values.items() if k not in MODES}
            values |= given
            values.setdefault("identity", f"{socket.gethostname()}_{secrets.token_hex(4)}")
            return cls(**values)
        except ValueError as error:
            parser.error(str(error))


def _options() -> Iterator[tuple[str, Value, str]]:
    for option in fields(Settings):
        yield option.name, cast("Value", option.default), option.metadata["help"]


def _add(parser: argparse.ArgumentParser, name: str, default: Value, text: str) -> None:
    flag = "--" + name.replace("_", "-")
    if isinstance(default, bool):
        parser.add_argument(flag, action="store_true", default=None, help=text)
        return
    shown = f"{text} (default: {default})" if default not in ("", ()) else text
    parser.add_argument(flag, type=_reader(default), default=None, help=shown, metavar="X")


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values = {}
    for name, default, _ in _options():
        variable = PREFIX + name.upper()
        text = environment.get(variable, "")
        if text:
            try:
                values[name] = _reader(default)(text)
            except ValueError as error:
                raise ValueError(f"{variable}={text!r}: {error}") from error
    return values


def _reader(default: Value) -> Callable[[str], Value]:
    """Give the function that reads a text as the type of the default."""
    if isinstance(default, bool):
        return _boolean
    if isinstance(default, tuple):
        return _names
    return type(default)


def _boolean(text: str) -> bool:
    if text.lower() not in {"true", "false", "1", "0"}:
        raise ValueError("true or false is expected")
    return text.lower() in {"true", "1"}


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
