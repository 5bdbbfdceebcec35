"""How a build is asked of buildah and docker."""

from pathlib import Path

import pytest
from images.imagebuild.engines import Build, Buildah, choose, is_local
from images.imagebuild.failure import BuildError


def test_a_build_names_everything_it_depends_on(tmp_path: Path) -> None:
    build = Build(
        name="localhost/tidemill/a:1",
        context=tmp_path,
        dockerfile="images/a/Dockerfile",
        log=tmp_path / "log",
        arguments={"PYTHON": "p:1"},
        labels={"title": "A"},
        secrets={"pip.conf": Path("/s/pip.conf")},
    )
    assert build.options() == [
        *("--file", f"{tmp_path}/images/a/Dockerfile"),
        *("--build-arg", "PYTHON=p:1"),
        *("--label", "title=A"),
        *("--secret", "id=pip.conf,src=/s/pip.conf"),
        *("--tag", "localhost/tidemill/a:1"),
    ]


@pytest.mark.parametrize(
    ("registry", "expected"),
    [
        ("localhost:5000", True),
        ("127.0.0.1:5000/team", True),
        ("registry.example:5000", False),
        ("registry.example/team", False),
    ],
)
def test_only_a_registry_on_this_machine_may_do_without_tls(registry: str, expected: bool) -> None:
    assert is_local(registry) is expected


def test_a_failed_build_shows_its_last_lines_and_where_all_of_them_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "buildah"
    program.write_text("#!/bin/sh\necho no such package\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    build = Build("a:1", tmp_path, "Dockerfile", tmp_path / "logs/a.log")
    with pytest.raises(BuildError, match=r"(?s)no such package.*logs/a\.log"):
        Buildah(tmp_path / "storage").build(build)


def test_without_an_engine_the_way_out_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match="apt-get install buildah"):
        choose(tmp_path)
