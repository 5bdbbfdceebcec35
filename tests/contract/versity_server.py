"""versitygw: an S3 server of another make, on plain files, without STS and without lifecycle."""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.contract.s3_server import ROOT, S3Server, binary, running


class VersityServer(S3Server):
    """versitygw on one folder, with users of its own."""

    program = "versitygw"
    health = "/healthz"

    def command(self) -> list[str]:
        data, users = self._made("data"), self._made("users")
        # Where the file system has no extended attributes, they are kept in files beside.
        beside = [] if _has_attributes(data) else ["--sidecar", str(self._made("attributes"))]
        listen = ["--port", self.address, "--health", self.health, "--keep-alive", "--quiet"]
        return [*listen, "--iam-dir", str(users), "posix", *beside, str(data)]

    def environment(self) -> Mapping[str, str]:
        return {"ROOT_ACCESS_KEY": ROOT[0], "ROOT_SECRET_KEY": ROOT[1]}

    def add_user(self, access_key: str, secret_key: str) -> None:
        """Somebody who owns nothing and may do what policies of buckets say."""
        root = ["--access", ROOT[0], "--secret", ROOT[1], "--endpoint-url", self.config.endpoint]
        user = ["--access", access_key, "--secret", secret_key, "--role", "user"]
        command = [str(binary(self.program)), "admin", *root, "create-user", *user]
        subprocess.run(command, check=True, capture_output=True)

    def _made(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder


def _has_attributes(folder: Path) -> bool:
    try:
        os.setxattr(folder, "user.tidemill", b"x")
    except OSError:
        return False
    return True


@contextlib.contextmanager
def versity_server(folder: Path) -> Iterator[S3Server]:
    with running(VersityServer, folder) as server:
        yield server
