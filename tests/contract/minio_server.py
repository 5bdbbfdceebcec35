"""MinIO: the server that Tidemill brings, with STS, users and policies."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.contract.s3_server import BUCKET, ROOT, S3Server, running

__all__ = ["BUCKET", "ROOT", "MinioServer", "minio_server"]


class MinioServer(S3Server):
    """MinIO on one folder."""

    program = "minio"
    health = "/minio/health/ready"

    def command(self) -> list[str]:
        listen = ["--address", self.address, "--console-address", "127.0.0.1:0"]
        return ["server", str(self.folder / "data"), *listen]

    def environment(self) -> Mapping[str, str]:
        root = {"MINIO_ROOT_USER": ROOT[0], "MINIO_ROOT_PASSWORD": ROOT[1]}
        return {**root, "MINIO_BROWSER": "off"}


@contextlib.contextmanager
def minio_server(folder: Path) -> Iterator[S3Server]:
    with running(MinioServer, folder) as server:
        yield server
