"""The archive that containerd is given is an OCI image layout whose digests are right."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.localcluster.images import Image, write_archive


@pytest.fixture
def archive(tmp_path: Path) -> dict[str, bytes]:
    program = tmp_path / "program"
    program.write_bytes(b"ELF")
    image = Image("a/b:1", {"bin/run": program}, ("/bin/run",), {"bin/sh": "run"})
    target = tmp_path / "image.tar"
    write_archive(image, target)
    with tarfile.open(target) as opened:
        contents = {}
        for member in opened:
            file = opened.extractfile(member)
            assert file is not None
            contents[member.name] = file.read()
        return contents


def blob(archive: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    content = archive[f"blobs/{descriptor['digest'].replace(':', '/')}"]
    assert descriptor["size"] == len(content)
    assert descriptor["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
    return content


def test_every_descriptor_leads_to_its_content(archive: dict[str, bytes]) -> None:
    (named,) = json.loads(archive["index.json"])["manifests"]
    assert named["annotations"] == {"io.containerd.image.name": "a/b:1"}
    manifest = json.loads(blob(archive, named))
    config = json.loads(blob(archive, manifest["config"]))
    (layer,) = manifest["layers"]
    content = gzip.decompress(blob(archive, layer))
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(content).hexdigest()}"]
    assert config["config"]["Entrypoint"] == ["/bin/run"]
    assert config["config"]["User"] != "0:0"
    with tarfile.open(fileobj=io.BytesIO(content)) as files:
        assert files.getnames() == ["bin", "bin/run", "bin/sh"]
        assert files.getmember("bin/run").mode == 0o755
        assert files.getmember("bin/sh").linkname == "run"


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"ELF")
    image = Image("a:1", {"run": program}, ("/run",), {})
    targets = (tmp_path / "1.tar", tmp_path / "2.tar")
    for target in targets:
        write_archive(image, target)
    assert targets[0].read_bytes() == targets[1].read_bytes()
