"""The toy operator as a process of its own: started, watched, killed."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from tests.apiserver.control_plane import REPOSITORY
from tests.apiserver.waiting import eventually
from tests.support.children import with_parent
from tests.support.ports import free_port

QUICK_LEASE = ("--lease-seconds=3", "--renew-seconds=2", "--lease-retry-seconds=0.2")
SOURCES = ("operator", ".")


@dataclass
class Toy:
    """A running process."""

    process: subprocess.Popen[bytes]
    port: int
    out: Path
    log: Path

    def reconciled(self, key: str) -> int:
        """Count the reconciles of a key so far."""
        return self.out.read_text().count(json.dumps({"reconciled": key}))

    async def get(self, path: str) -> tuple[int, str]:
        """Ask its HTTP port; status 0 when it does not listen."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{self.port}{path}") as answer,
            ):
                return answer.status, await answer.text()
        except aiohttp.ClientError:
            return 0, ""

    async def ready(self) -> bool:
        """Tell whether it leads and watches; fails when it has ended."""
        if self.process.poll() is not None:
            raise RuntimeError(f"ended with {self.process.returncode}: {self.log.read_text()}")
        return (await self.get("/readyz"))[0] == 200

    async def metric(self, name: str) -> float:
        """Read a metric without labels."""
        _, text = await self.get("/metrics")
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name))

    async def ended(self, within: float = 30) -> int:
        """Wait for its end; gives the exit code."""
        return await asyncio.wait_for(asyncio.to_thread(self.process.wait), within)

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)


@contextlib.asynccontextmanager
async def toy(
    directory: Path, kubeconfig: Path, namespace: str, *flags: str, wait: bool = True
) -> AsyncIterator[Toy]:
    """Run the toy on one namespace, ready unless `wait` is false; killed at the end."""
    lease = f"--lease-namespace={namespace}"
    running = _start(directory, kubeconfig, lease, *(flags or (f"--namespace={namespace}",)))
    try:
        if wait:
            await eventually(running.ready)
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()


def _start(directory: Path, kubeconfig: Path, *flags: str) -> Toy:
    port = free_port()
    number = len(list(directory.glob("toy-*.log")))
    out, log = (directory / f"toy-{number}.{ending}" for ending in ("out", "log"))
    command = [sys.executable, "-m", "tests.apiserver.toy", f"--kubeconfig={kubeconfig}"]
    command += ["--listen=127.0.0.1", f"--port={port}", "--data-port=0", *QUICK_LEASE, *flags]
    paths = os.pathsep.join(str(REPOSITORY / source) for source in SOURCES)
    environment = {**os.environ, "PYTHONPATH": paths}
    with out.open("wb") as stdout, log.open("wb") as stderr:
        process = subprocess.Popen(
            with_parent(*command),
            stdout=stdout,
            stderr=stderr,
            cwd=REPOSITORY,
            env=environment,
        )
    return Toy(process, port, out, log)
