"""PostgreSQL on a free port, encrypted, with a database, its owner and a reader of one table."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.children import with_parent
from tests.support.ports import free_port

OWNER, READER = "plant_owner", "plant_reader"
PASSWORD = "pass-of-the-reader"
ADMIN = "postgres"
DATABASE = "plant"
READY_SECONDS = 60.0
_INSTALLED = Path("/usr/lib/postgresql")
_ACCESS = """
hostssl all all 0.0.0.0/0 scram-sha-256
hostssl all all ::/0 scram-sha-256
hostnossl all all 0.0.0.0/0 scram-sha-256
"""


def program(name: str) -> str:
    """One of the server's programs, of the newest version that is installed."""
    found = sorted(_INSTALLED.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise RuntimeError("PostgreSQL is missing: make deps")
    return str(found[-1])


@dataclass
class PostgresServer:
    """One process; it can be stopped and started again with the same data and port."""

    folder: Path
    listen: str
    host: str
    port: int
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def authority(self) -> str:
        """The certificate that the server's own is proved by."""
        return (self.folder / "server.crt").read_text()

    def start(self) -> None:
        options = {
            "listen_addresses": self.listen,
            "port": str(self.port),
            "unix_socket_directories": "",
            "ssl": "on",
            "ssl_cert_file": str(self.folder / "server.crt"),
            "ssl_key_file": str(self.folder / "server.key"),
            "fsync": "off",
            "max_wal_size": "1GB",
            "shared_buffers": "32MB",
        }
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                # In this order: who becomes another user outlives its parent.
                [*_unprivileged(), *with_parent(program("postgres"), "-D", self._data, *flags)],
                stdout=log,
                stderr=log,
            )
        self._wait()

    def stop(self) -> None:
        """End it at once, in the middle of whatever it does."""
        if self._process is not None:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                lines = Path(self._data, "postmaster.pid").read_text().splitlines()
                os.kill(int(lines[0]), 3)
            self._process.wait(READY_SECONDS)
            self._process = None

    def sql(self, *statements: str, database: str = DATABASE) -> str:
        """Run statements as the administrator; gives what the last one prints."""
        flags = [part for statement in statements for part in ("-c", statement)]
        done = subprocess.run(
            [program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, *flags],
            env={
                **os.environ,
                "PGHOST": self.host,
                "PGPORT": str(self.port),
                "PGUSER": ADMIN,
                "PGPASSWORD": PASSWORD,
                "PGSSLMODE": "require",
                "PGCONNECT_TIMEOUT": "20",
            },
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"psql: {done.stderr}")
        return done.stdout.strip()

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _wait(self) -> None:
        end = time.monotonic() + READY_SECONDS
        command = [program("pg_isready"), "-q", "-h", self.host, "-p", str(self.port)]
        while time.monotonic() < end:
            if self._process is None or self._process.poll() is not None:
                break
            if subprocess.run(command, check=False).returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError(f"postgres does not start: {(self.folder / 'log').read_text()[-2000:]}")


@contextlib.contextmanager
def postgres_server(host: str = "127.0.0.1", name: str = "localhost") -> Iterator[PostgresServer]:
    """One on an address of this machine, with a certificate for the name and the address."""
    folder = Path(tempfile.mkdtemp(prefix="tidemill-postgres-"))
    try:
        server = _made(folder, host, name)
        server.start()
        try:
            _fill(server)
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _made(folder: Path, host: str, name: str) -> PostgresServer:
    port = free_port(host)
    (folder / "password").write_text(PASSWORD)
    if os.geteuid() == 0:
        shutil.chown(folder, ADMIN, ADMIN)
    folder.chmod(0o755)
    _run(
        *(program("initdb"), "-D", str(folder / "data"), "-U", ADMIN, "-A", "scram-sha-256"),
        *("--pwfile", str(folder / "password"), "--encoding", "UTF8", "--locale", "C.UTF-8"),
        "--no-sync",
    )
    _run(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
        *("-keyout", str(folder / "server.key"), "-out", str(folder / "server.crt")),
        *("-subj", "/CN=tests", "-addext", f"subjectAltName=DNS:{name},IP:{host}"),
    )
    access = folder / "data" / "pg_hba.conf"
    access.write_text(_ACCESS)
    return PostgresServer(folder, host, host, port)


def _fill(server: PostgresServer) -> None:
    server.sql(
        f"CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'",
        f"CREATE ROLE {READER} LOGIN PASSWORD '{PASSWORD}'",
        f"CREATE DATABASE {DATABASE} OWNER {OWNER}",
        database="postgres",
    )
    server.sql(
        f"SET ROLE {OWNER}",
        "CREATE TABLE readings (ts timestamptz, site text, power float8)",
        "CREATE TABLE private (x int)",
        f"GRANT SELECT ON readings TO {READER}",
    )


def _unprivileged() -> Sequence[str]:
    """The server refuses to run as root."""
    return ("setpriv", f"--reuid={ADMIN}", f"--regid={ADMIN}", "--clear-groups") * (
        os.geteuid() == 0
    )


def _run(*command: str) -> None:
    done = subprocess.run(
        [*_unprivileged(), *command], text=True, capture_output=True, check=False, cwd="/"
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: {done.stderr}")
