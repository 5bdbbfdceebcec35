"""What the server is told of the container that it stands before."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import urlsplit

from tidemill_server.environ import wrong

MIB = 1024 * 1024
Protocol = Literal["OpenInference", "Http"]
PROTOCOLS = ("OpenInference", "Http")
READY = {"OpenInference": "/v2/health/ready", "Http": "/"}
MOST_SECONDS = 86_400
# What only a model of the server's own can have.
NOT_WITH = (
    *("TIDEMILL_GRPC_PORT", "TIDEMILL_ONLINE_ADDRESS", "TIDEMILL_MODEL_PUBLIC_KEYS"),
    *("TIDEMILL_MAX_EXPLAINED_ROWS", "TIDEMILL_CAPTURE_ROWS", "TIDEMILL_TRACES_ENDPOINT"),
)


@dataclass(frozen=True)
class Upstream:
    """Where it answers, what it speaks, and how long it may take."""

    host: str  # TIDEMILL_UPSTREAM: http://HOST:PORT
    port: int
    protocol: Protocol = "OpenInference"  # TIDEMILL_UPSTREAM_PROTOCOL
    ready: str = READY["OpenInference"]  # TIDEMILL_UPSTREAM_READY: a path
    seconds: float = 60.0  # TIDEMILL_UPSTREAM_SECONDS: for one answer
    answer_bytes: int = 16 * MIB  # TIDEMILL_MAX_ANSWER_BYTES

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Upstream | None":
        """Read the environment; None where the server has a model of its own. Raises Refused."""
        address = env.get("TIDEMILL_UPSTREAM")
        if not address:
            return None
        for name in NOT_WITH:
            if env.get(name):
                raise wrong(name, "a container has none of it, and TIDEMILL_UPSTREAM is set")
        host, port = _place(address)
        protocol = env.get("TIDEMILL_UPSTREAM_PROTOCOL") or PROTOCOLS[0]
        if protocol not in PROTOCOLS:
            why = f"it must be {' or '.join(PROTOCOLS)}, not {protocol!r}"
            raise wrong("TIDEMILL_UPSTREAM_PROTOCOL", why)
        ready = env.get("TIDEMILL_UPSTREAM_READY") or READY[protocol]
        if not (ready.startswith("/") and ready.isascii() and ready.isprintable()) or " " in ready:
            raise wrong("TIDEMILL_UPSTREAM_READY", f"it must be a path, not {ready!r}")
        seconds, most = env.get("TIDEMILL_UPSTREAM_SECONDS"), env.get("TIDEMILL_MAX_ANSWER_BYTES")
        return cls(
            host,
            port,
            cast("Protocol", protocol),
            ready,
            _seconds(seconds) if seconds else cls.seconds,
            _bytes(most) if most else cls.answer_bytes,
        )

    @property
    def authority(self) -> str:
        """Host and port, as the header Host has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _place(address: str) -> tuple[str, int]:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port or parts.scheme != "http" or parts.path.strip("/") or parts.query:
        raise wrong("TIDEMILL_UPSTREAM", f"it must be http://HOST:PORT, not {address!r}")
    return host, port


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value <= MOST_SECONDS:
        why = f"it must be a number of seconds above 0, not {text!r}"
        raise wrong("TIDEMILL_UPSTREAM_SECONDS", why)
    return value


def _bytes(text: str) -> int:
    if not text.isdecimal() or not int(text):
        why = f"it must be a whole number of at least 1, not {text!r}"
        raise wrong("TIDEMILL_MAX_ANSWER_BYTES", why)
    return int(text)
