"""Redis on a free port, with a user and a password; in the open, or encrypted."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import redis
from tests.support.children import with_parent
from tests.support.ports import free_port

USER, PASSWORD = "features", "pass-of-the-features"
ADMIN_PASSWORD = "pass-of-the-administrator"
READY_SECONDS = 30.0
# What the documentation asks an administrator to allow.
RIGHTS = "~tidemill:* +get +set +del +pexpireat +eval +evalsha +script|load +scan"


@dataclass
class RedisServer:
    """One process; it can be stopped and started again, and then holds nothing."""

    folder: Path
    host: str
    port: int
    encrypted: bool = False
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def authority(self) -> str:
        """The certificate that the server's own is proved by."""
        return (self.folder / "server.crt").read_text()

    def start(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise RuntimeError("redis-server is missing: make deps")
        options = {"bind": self.host, "save": "", "appendonly": "no", "dir": str(self.folder)}
        options |= {"port": str(self.port)}
        if self.encrypted:
            options |= {
                "port": "0",
                "tls-port": str(self.port),
                "tls-cert-file": str(self.folder / "server.crt"),
                "tls-key-file": str(self.folder / "server.key"),
                "tls-auth-clients": "no",
            }
        users = f"user default on >{ADMIN_PASSWORD} ~* &* +@all\n"
        users += f"user {USER} on >{PASSWORD} {RIGHTS}\n"
        (self.folder / "users.acl").write_text(users)
        options |= {"aclfile": str(self.folder / "users.acl")}
        flags = [part for name, value in options.items() for part in (f"--{name}", value)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(with_parent(program, *flags), stdout=log, stderr=log)
        self._wait()

    def stop(self) -> None:
        """End it at once, in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(READY_SECONDS)
            self._process = None

    def client(self) -> redis.Redis:
        """The administrator's."""
        return redis.Redis(
            host=self.host,
            port=self.port,
            password=ADMIN_PASSWORD,
            decode_responses=True,
            ssl=self.encrypted,
            ssl_ca_certs=str(self.folder / "server.crt") if self.encrypted else None,
        )

    def texts(self, prefix: str = "tidemill:") -> dict[str, str]:
        """All that lies under the prefix."""
        client = self.client()
        return {str(name): str(client.get(name)) for name in client.keys(f"{prefix}*")}

    def _wait(self) -> None:
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            if self._process is None or self._process.poll() is not None:
                break
            with contextlib.suppress(redis.RedisError):
                self.client().ping()
                return
            time.sleep(0.02)
        raise RuntimeError(f"redis does not start: {(self.folder / 'log').read_text()[-2000:]}")


@contextlib.contextmanager
def redis_server(host: str = "127.0.0.1", *, encrypted: bool = False) -> Iterator[RedisServer]:
    """One on an address of this machine; its certificate is for the address and `localhost`."""
    folder = Path(tempfile.mkdtemp(prefix="tidemill-redis-"))
    try:
        if encrypted:
            _certify(folder, host)
        server = RedisServer(folder, host, free_port(host), encrypted)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _certify(folder: Path, host: str) -> None:
    command = [
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
        *("-keyout", str(folder / "server.key"), "-out", str(folder / "server.crt")),
        *("-subj", "/CN=tests", "-addext", f"subjectAltName=DNS:localhost,IP:{host}"),
    ]
    done = subprocess.run(command, text=True, capture_output=True, check=False, env=os.environ)
    if done.returncode != 0:
        raise RuntimeError(f"openssl: {done.stderr}")
