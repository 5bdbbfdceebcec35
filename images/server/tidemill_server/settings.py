"""What the server is told by its environment, read once, checked at once.

Every limit has a default that suits one replica on one core. A value that cannot be used ends the
process with the variable's name: nothing is guessed and nothing is ignored.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

from tidemill.store import digests, layout
from tidemill_server import environ
from tidemill_server.upstream.told import Upstream

MIB = 1024 * 1024
_ENDPOINT = re.compile(
    r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?"
)
BODIES = 8
# What tells of one model, or is had by one alone.
OF_ONE = (
    *(f"TIDEMILL_MODEL_{name}" for name in ("URI", "DIGEST", "VERSION", "PUBLIC_KEYS")),
    *("TIDEMILL_UPSTREAM", "TIDEMILL_ONLINE_ADDRESS"),
)

# What answers. Auto: what the package has; Onnx: the same, known to be ONNX; Native: not ONNX.
# Explained: the pipeline where the package has one, since explanations are exact of that.
Runtime = Literal["Auto", "Onnx", "Native", "Explained"]
RUNTIMES: tuple[Runtime, ...] = ("Auto", "Onnx", "Native", "Explained")


@dataclass(frozen=True)
class Limits:
    """Bounds on what clients may ask for; beyond them 413 or 429, never a slow death."""

    body_bytes: int = 16 * MIB  # TIDEMILL_MAX_BODY_BYTES
    # TIDEMILL_MAX_BODIES_BYTES: of all requests together; 0: eight of the largest
    bodies_bytes: int = 0
    rows: int = 10_000  # TIDEMILL_MAX_ROWS: in one request
    explained_rows: int = 0  # TIDEMILL_MAX_EXPLAINED_ROWS: in one request; 0: none is explained
    in_flight: int = 256  # TIDEMILL_MAX_IN_FLIGHT: requests being answered at a time
    batch_rows: int = 2_048  # TIDEMILL_MAX_BATCH_ROWS: rows put together from several requests
    answer_bytes: int = 0  # of a container that answers in the server's place; 0: there is none
    captured_rows: int = 0  # TIDEMILL_CAPTURE_ROWS: kept with their answers; 0: none
    captured_bytes: int = 64 * MIB  # TIDEMILL_CAPTURE_BYTES
    # TIDEMILL_BODY_SECONDS: for the whole body to arrive, and for the answer to be taken
    body_seconds: float = 30.0

    @property
    def held_bytes(self) -> int:
        """How much of bodies is held at a time; one of the largest has room in any case."""
        largest = max(self.body_bytes, self.answer_bytes)
        return max(self.bodies_bytes or BODIES * largest, largest)


@dataclass(frozen=True)
class Loading:
    """Bounds on the model while it is loaded for the first time, in a child process."""

    seconds: float = 120.0  # TIDEMILL_LOAD_SECONDS
    memory_bytes: int = 0  # TIDEMILL_LOAD_MEMORY_BYTES; 0: what the container's limit leaves


@dataclass(frozen=True)
class Stopping:
    """From SIGTERM to the end: answer on until no client is sent here, then finish what runs."""

    drain_seconds: float = 5.0  # TIDEMILL_DRAIN_SECONDS
    finish_seconds: float = 20.0  # TIDEMILL_FINISH_SECONDS


@dataclass(frozen=True)
class Online:
    """The online store in which features are looked up, and what if it does not answer."""

    host: str  # TIDEMILL_ONLINE_ADDRESS: host:port
    port: int
    namespace: str  # TIDEMILL_ONLINE_NAMESPACE: whose Datasets' features
    tls: str = "VerifyFull"  # TIDEMILL_ONLINE_TLS
    seconds: float = 0.05  # TIDEMILL_ONLINE_SECONDS: for all rows of a request
    may_lack: bool = False  # TIDEMILL_ONLINE_UNAVAILABLE: Missing; else Fail
    secret: Path | None = None  # TIDEMILL_ONLINE_SECRET: the folder of the login
    networks: tuple[str, ...] = ()  # TIDEMILL_HTTP_ALLOWED_NETWORKS: opened by the administrator

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Online | None":
        """Read the environment; None where no features are looked up."""
        address = env.get("TIDEMILL_ONLINE_ADDRESS")
        if not address:
            return None
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal():
            raise environ.wrong("TIDEMILL_ONLINE_ADDRESS", "it must be host:port")
        secret = env.get("TIDEMILL_ONLINE_SECRET")
        unavailable = ("Fail", "Missing")
        return cls(
            host=host.removeprefix("[").removesuffix("]"),
            port=int(port),
            namespace=environ.required(env, "TIDEMILL_ONLINE_NAMESPACE"),
            tls=environ.one_of(env, "TIDEMILL_ONLINE_TLS", ("VerifyFull", "Require", "Disable")),
            seconds=environ.seconds(env, "TIDEMILL_ONLINE_SECONDS", cls.seconds),
            may_lack=environ.one_of(env, "TIDEMILL_ONLINE_UNAVAILABLE", unavailable) == "Missing",
            secret=Path(secret) if secret else None,
            networks=environ.networks(env),
        )


@dataclass(frozen=True)
class Oidc:
    """An issuer whose tokens count."""

    issuer: str  # TIDEMILL_OIDC_ISSUER
    audiences: tuple[str, ...]  # TIDEMILL_OIDC_AUDIENCES: a list in JSON
    subjects: tuple[str, ...] = ()  # TIDEMILL_OIDC_SUBJECTS: as before; none: whoever has a token
    keys: Path | None = None  # TIDEMILL_OIDC_KEYS: a file; else the issuer is asked
    authorities: Path | None = None  # TIDEMILL_OIDC_AUTHORITIES: a file; else the public ones
    networks: tuple[str, ...] = ()  # TIDEMILL_HTTP_ALLOWED_NETWORKS: opened by the administrator

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Oidc | None":
        """Read the environment; None where no issuer counts."""
        issuer = env.get("TIDEMILL_OIDC_ISSUER")
        if not issuer:
            for name in ("AUDIENCES", "SUBJECTS", "KEYS", "AUTHORITIES"):
                if env.get(f"TIDEMILL_OIDC_{name}"):
                    raise environ.wrong("TIDEMILL_OIDC_ISSUER", f"it is not set, but ..._{name} is")
            return None
        keys, authorities = (env.get(f"TIDEMILL_OIDC_{name}") for name in ("KEYS", "AUTHORITIES"))
        if not keys and not issuer.startswith("https://"):
            raise environ.wrong("TIDEMILL_OIDC_ISSUER", "without keys it must be asked over https")
        audiences = environ.texts(env, "TIDEMILL_OIDC_AUDIENCES")
        if not audiences:
            raise environ.wrong("TIDEMILL_OIDC_AUDIENCES", "it is not set")
        return cls(
            issuer,
            audiences,
            environ.texts(env, "TIDEMILL_OIDC_SUBJECTS"),
            Path(keys) if keys else None,
            Path(authorities) if authorities else None,
            environ.networks(env),
        )


@dataclass(frozen=True)
class Access:
    """Who may ask, from where, and over what."""

    tokens: Path | None = None  # TIDEMILL_TOKENS: a folder with a file for each
    oidc: Oidc | None = None
    origins: tuple[str, ...] = ()  # TIDEMILL_CORS_ORIGINS: a list in JSON, or ["*"]
    tls: Path | None = None  # TIDEMILL_TLS: a folder with tls.crt and tls.key
    # TIDEMILL_TLS_CLIENTS: Required or Any; required, the folder has ca.crt as well
    clients: bool = False
    health_port: int | None = None  # TIDEMILL_HEALTH_PORT: without TLS, for probes and Prometheus

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Access":
        tokens, tls = env.get("TIDEMILL_TOKENS"), env.get("TIDEMILL_TLS")
        clients = environ.one_of(env, "TIDEMILL_TLS_CLIENTS", ("Any", "Required")) == "Required"
        if clients and not tls:
            raise environ.wrong(
                "TIDEMILL_TLS_CLIENTS", "without TIDEMILL_TLS no client shows anything"
            )
        return cls(
            tokens=Path(tokens) if tokens else None,
            oidc=Oidc.from_env(env),
            origins=environ.texts(env, "TIDEMILL_CORS_ORIGINS"),
            tls=Path(tls) if tls else None,
            clients=clients,
            health_port=environ.port(env, "TIDEMILL_HEALTH_PORT"),
        )


@dataclass(frozen=True)
class Tracing:
    """The collector that traces are sent to, and how many are begun."""

    endpoint: str  # TIDEMILL_TRACES_ENDPOINT: http(s)://host[:port][/path]; not set: no traces
    host: str
    port: int
    path: str = ""
    tls: bool = False
    # TIDEMILL_TRACES_RATIO: of the requests that belong to no trace, 0 to 1; those that belong to
    # one are recorded as it is
    ratio: float = 0.01
    networks: tuple[str, ...] = ()  # TIDEMILL_HTTP_ALLOWED_NETWORKS: opened by the administrator
    scheme: str = "http"  # by which the server itself is asked

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Tracing | None":
        """Read the environment; None where no traces are recorded."""
        name, endpoint = "TIDEMILL_TRACES_ENDPOINT", env.get("TIDEMILL_TRACES_ENDPOINT")
        if not endpoint:
            return None
        found = _ENDPOINT.fullmatch(endpoint)
        try:
            parts = urlsplit(endpoint)
            port = parts.port
        except ValueError:
            found = None
        if found is None or not parts.hostname or port == 0:
            raise environ.wrong(
                name, "it must be http(s)://host[:port][/path], without credentials"
            )
        tls = parts.scheme == "https"
        return cls(
            endpoint=endpoint,
            host=parts.hostname,
            port=port or (443 if tls else 80),
            path=parts.path.rstrip("/"),
            tls=tls,
            ratio=environ.share(env, "TIDEMILL_TRACES_RATIO", cls.ratio),
            scheme="https" if env.get("TIDEMILL_TLS") else "http",
            networks=environ.networks(env),
        )


@dataclass(frozen=True)
class Settings:
    """Everything the process is told."""

    model_name: str
    model_version: str
    model_digest: str
    bucket: str
    prefix: str
    store: Path = Path("/etc/tidemill/store")  # TIDEMILL_STORE
    scratch: Path = Path("/scratch")  # TIDEMILL_SCRATCH
    termination: Path = Path("/dev/termination-log")  # TIDEMILL_TERMINATION
    port: int = 8080  # PORT; 0: any free one, named in the log
    grpc_port: int | None = None  # TIDEMILL_GRPC_PORT: as PORT; not set: no gRPC
    runtime: Runtime = "Auto"  # TIDEMILL_RUNTIME: Auto, Onnx, Native or Explained
    page: bool = True  # TIDEMILL_PAGE: Enabled or Disabled, the page for people at /
    access_log_every: int = 0  # TIDEMILL_ACCESS_LOG_EVERY: log one request of so many; 0: none
    limits: Limits = field(default_factory=Limits)
    loading: Loading = field(default_factory=Loading)
    stopping: Stopping = field(default_factory=Stopping)
    online: Online | None = None
    access: Access = field(default_factory=Access)
    traces: Tracing | None = None
    # TIDEMILL_RETRY_SECONDS: until one of several models that was refused is tried again; then
    # twice as long, and so on
    retry_seconds: float = 60.0
    public_keys: tuple[str, ...] = ()  # TIDEMILL_MODEL_PUBLIC_KEYS: PEMs, as a list in JSON
    upstream: Upstream | None = None  # a container that has the model; then there is no package
    # TIDEMILL_MODELS: the file that lists them, where there are several; then none of it is above
    models: Path | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Settings":
        """Read the environment; raises Refused with the variable's name."""
        models = env.get("TIDEMILL_MODELS")
        upstream = Upstream.from_env(env)
        digest = "" if models else _digest(env)
        bucket, prefix = ("", "") if upstream or models else _package(env)
        return cls(
            model_name=environ.required(env, "TIDEMILL_MODEL_NAME"),
            model_version=env.get("TIDEMILL_MODEL_VERSION") or digest[7:19],
            model_digest=digest,
            bucket=bucket,
            prefix=prefix,
            store=_path(env, "TIDEMILL_STORE", cls.store),
            scratch=_path(env, "TIDEMILL_SCRATCH", cls.scratch),
            termination=termination_path(env),
            port=environ.integer(env, "PORT", cls.port),
            grpc_port=environ.port(env, "TIDEMILL_GRPC_PORT"),
            runtime=cast("Runtime", environ.one_of(env, "TIDEMILL_RUNTIME", RUNTIMES)),
            page=environ.one_of(env, "TIDEMILL_PAGE", ("Enabled", "Disabled")) == "Enabled",
            access_log_every=environ.integer(
                env, "TIDEMILL_ACCESS_LOG_EVERY", cls.access_log_every
            ),
            limits=_limits(env, upstream.answer_bytes if upstream else 0),
            loading=Loading(
                seconds=environ.seconds(env, "TIDEMILL_LOAD_SECONDS", Loading.seconds),
                memory_bytes=environ.integer(
                    env, "TIDEMILL_LOAD_MEMORY_BYTES", Loading.memory_bytes
                ),
            ),
            stopping=Stopping(
                drain_seconds=environ.seconds(
                    env, "TIDEMILL_DRAIN_SECONDS", Stopping.drain_seconds
                ),
                finish_seconds=environ.seconds(
                    env, "TIDEMILL_FINISH_SECONDS", Stopping.finish_seconds
                ),
            ),
            online=Online.from_env(env),
            access=Access.from_env(env),
            traces=Tracing.from_env(env),
            public_keys=environ.texts(env, "TIDEMILL_MODEL_PUBLIC_KEYS"),
            upstream=upstream,
            models=_several(env, models) if models else None,
            retry_seconds=environ.seconds(env, "TIDEMILL_RETRY_SECONDS", cls.retry_seconds),
        )


def termination_path(env: Mapping[str, str]) -> Path:
    """Needed on its own: where the settings are wrong, the message must be left all the same."""
    return _path(env, "TIDEMILL_TERMINATION", Settings.termination)


def _digest(env: Mapping[str, str]) -> str:
    digest = environ.required(env, "TIDEMILL_MODEL_DIGEST")
    if not digests.is_digest(digest):
        raise environ.wrong("TIDEMILL_MODEL_DIGEST", "it must be sha256:<64 hexadecimal digits>")
    return digest


def _several(env: Mapping[str, str], models: str) -> Path:
    """The list of models, beside which nothing tells of one alone."""
    for name in OF_ONE:
        if env.get(name):
            raise environ.wrong(name, "it is of one model, and TIDEMILL_MODELS lists several")
    return Path(models)


def _package(env: Mapping[str, str]) -> tuple[str, str]:
    """Bucket and prefix of the model."""
    try:
        bucket, prefix = layout.parse_uri(environ.required(env, "TIDEMILL_MODEL_URI"))
    except ValueError as error:
        raise environ.wrong("TIDEMILL_MODEL_URI", str(error)) from None
    return bucket, prefix if prefix.endswith("/") else prefix + "/"


def _path(env: Mapping[str, str], name: str, default: Path) -> Path:
    return Path(env.get(name) or default)


def _limits(env: Mapping[str, str], answer_bytes: int) -> Limits:
    return Limits(
        answer_bytes=answer_bytes,
        body_bytes=environ.integer(env, "TIDEMILL_MAX_BODY_BYTES", Limits.body_bytes, least=1),
        bodies_bytes=environ.integer(env, "TIDEMILL_MAX_BODIES_BYTES", Limits.bodies_bytes),
        rows=environ.integer(env, "TIDEMILL_MAX_ROWS", Limits.rows, least=1),
        explained_rows=environ.integer(env, "TIDEMILL_MAX_EXPLAINED_ROWS", Limits.explained_rows),
        in_flight=environ.integer(env, "TIDEMILL_MAX_IN_FLIGHT", Limits.in_flight, least=1),
        batch_rows=environ.integer(env, "TIDEMILL_MAX_BATCH_ROWS", Limits.batch_rows, least=1),
        captured_rows=environ.integer(env, "TIDEMILL_CAPTURE_ROWS", Limits.captured_rows),
        captured_bytes=environ.integer(
            env, "TIDEMILL_CAPTURE_BYTES", Limits.captured_bytes, least=1
        ),
        body_seconds=environ.seconds(env, "TIDEMILL_BODY_SECONDS", Limits.body_seconds),
    )
