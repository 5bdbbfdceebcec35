"""The installer's parts that need no cluster: what it reads, what it writes, what it asks for."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from manifests.installer import definitions, images, options, removal, rights, store
from manifests.installer.failure import InstallError
from manifests.installer.images import Image
from manifests.installer.kubectl import Body, Kubectl
from manifests.installer.rendering import Renderer
from manifests.installer.store import MINIO, Place

ROOT = Path(__file__).parents[3]
DIGEST = "sha256:" + "0a" * 32
IMAGES = {name: Image(f"r:1/tidemill/{name}", DIGEST) for name in ("operator", "runner", "server")}


@dataclass(frozen=True)
class Recorder(Kubectl):
    """Keeps what would be done, and answers reads from what it is given."""

    there: dict[str, Body] = field(default_factory=dict)
    done: list[tuple[str, ...]] = field(default_factory=list)
    applied: list[Body] = field(default_factory=list)

    def run(self, *arguments: str, body: Body | None = None) -> str:
        self.done.append(arguments)
        if body:
            self.applied.append(body)
        if arguments[0] == "get":
            found = self.there.get("/".join(arguments[1:3]))
            return json.dumps(found) if found else ""
        return ""


@pytest.fixture
def renderer(tmp_path: Path) -> Renderer:
    return Renderer(ROOT / "manifests", tmp_path / "build", IMAGES)


def read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "kustomization.yaml").read_text())
    return found


def patch_of(folder: Path, kind: str) -> dict[str, Any]:
    (text,) = (p["patch"] for p in read(folder)["patches"] if p["target"]["kind"] == kind)
    found: dict[str, Any] = json.loads(text)
    return found


def environment(folder: Path) -> dict[str, str]:
    (container,) = patch_of(folder, "Deployment")["spec"]["template"]["spec"]["containers"]
    return {item["name"]: item["value"] for item in container["env"]}


class TestDefinitions:
    def crd(self, conditions: list[dict[str, str]] | None) -> Body:
        return {"metadata": {"name": "a.tidemill.dev"}, "status": {"conditions": conditions}}

    def test_waits_for_what_has_no_conditions_yet(self, tmp_path: Path) -> None:
        made = self.crd(None)

        class Slow(Recorder):
            def run(self, *arguments: str, body: Body | None = None) -> str:
                super().run(*arguments, body=body)
                asked = [one for one in self.done if one[0] == "get"]
                if len(asked) == 3:
                    made.update(crd([{"type": "Established", "status": "True"}]))
                return json.dumps({"items": [made]})

        crd = self.crd
        kubectl = Slow()
        definitions.establish(kubectl, tmp_path, 60)
        assert [one[0] for one in kubectl.done] == ["apply", "get", "get", "get"]

    def test_names_what_is_never_taken(self, tmp_path: Path) -> None:
        class Never(Recorder):
            def run(self, *arguments: str, body: Body | None = None) -> str:
                return super().run(*arguments, body=body) or json.dumps({"items": [one]})

        one = self.crd([{"type": "Established", "status": "False"}])
        with pytest.raises(InstallError, match=r"a\.tidemill\.dev.*describe crd"):
            definitions.establish(Never(), tmp_path, 0)


class TestImages:
    def test_reads_repository_and_digest(self, tmp_path: Path) -> None:
        path = tmp_path / "images.json"
        path.write_text(json.dumps({"operator": f"localhost:5000/tidemill/operator@{DIGEST}"}))
        found = images.load(path, ("operator",))["operator"]
        assert (found.name, found.digest) == ("localhost:5000/tidemill/operator", DIGEST)
        assert str(found) == f"localhost:5000/tidemill/operator@{DIGEST}"

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            pytest.param(None, "build the images first", id="no file"),
            pytest.param("{", "is not JSON", id="no JSON"),
            pytest.param("{}", "'operator' is None", id="image missing"),
            pytest.param('{"operator": "a/b:latest"}', "@sha256:DIGEST is expected", id="tag"),
        ],
    )
    def test_refuses_what_is_not_pinned(
        self, tmp_path: Path, content: str | None, message: str
    ) -> None:
        path = tmp_path / "images.json"
        if content is not None:
            path.write_text(content)
        with pytest.raises(InstallError, match=message):
            images.load(path, ("operator",))


class TestOptions:
    @pytest.mark.parametrize(
        "arguments",
        [
            pytest.param([], id="no store"),
            pytest.param(["--minio", "--store-endpoint", "https://s3"], id="two stores"),
            pytest.param(["--minio", "--purge"], id="purge without uninstall"),
        ],
    )
    def test_contradiction_ends_with_a_usage_line(self, arguments: Sequence[str]) -> None:
        with pytest.raises(SystemExit):
            options.parse(arguments)

    def test_own_store(self, tmp_path: Path) -> None:
        (tmp_path / "ca.pem").write_text("PEM")
        flags = ["--store-endpoint", "https://s3", "--store-path-style", "false"]
        found = options.parse([*flags, "--store-ca", str(tmp_path / "ca.pem")])
        assert found.place == Place("https://s3", "us-east-1", "tidemill", False, "PEM")

    def test_namespaces_and_cluster(self) -> None:
        found = options.parse(["--minio", "--namespaces", "a, b", "--kubeconfig", "/k"])
        assert found.namespaces == ("a", "b")
        assert found.kubectl.flags == ("--kubeconfig=/k",)
        assert found.place == MINIO

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            pytest.param([], None, id="nothing is said"),
            pytest.param(["--network-policies", "a, b"], ("a", "b"), id="two"),
            pytest.param(["--network-policies", "none"], (), id="none"),
        ],
    )
    def test_network_policies(self, arguments: list[str], expected: tuple[str, ...] | None) -> None:
        assert options.parse(["--minio", *arguments]).closed == expected


class TestRendering:
    def test_whole_cluster(self, renderer: Renderer) -> None:
        folder = renderer.operator(MINIO, (), "1-2")
        assert [(folder / r).resolve() for r in read(folder)["resources"]] == [
            ROOT / "manifests/overlays/cluster"
        ]
        assert "TIDEMILL_NAMESPACE" not in environment(folder)

    def test_namespaces(self, renderer: Renderer) -> None:
        folder = renderer.operator(MINIO, ("a", "b"), "1-2")
        base, *roles = [(folder / r).resolve() for r in read(folder)["resources"]]
        assert base == ROOT / "manifests/base"
        assert [read(role)["namespace"] for role in roles] == ["a", "b"]
        assert environment(folder)["TIDEMILL_NAMESPACE"] == "a,b"

    def test_images_are_put_in_by_digest(self, renderer: Renderer) -> None:
        folder = renderer.operator(MINIO, (), "1-2")
        assert environment(folder)["TIDEMILL_RUNNER_IMAGE"] == f"r:1/tidemill/runner@{DIGEST}"
        assert {
            "name": "tidemill/operator",
            "newName": "r:1/tidemill/operator",
            "digest": DIGEST,
        } in (read(folder)["images"])

    def test_images_for_boosted_models_are_put_in_where_they_are(
        self, renderer: Renderer, tmp_path: Path
    ) -> None:
        plain = environment(renderer.operator(MINIO, (), "1-2"))
        assert not [name for name in plain if "BOOSTING" in name]
        content = {f"{name}-boosting": f"r:1/{name}@{DIGEST}" for name in ("runner", "server")}
        path = tmp_path / "images.json"
        path.write_text(json.dumps({"operator": f"r:1/o@{DIGEST}", **content}))
        found = images.load(path, ("operator",), (*content, "another"))
        both = replace(renderer, images={**renderer.images, **found})
        told = environment(both.operator(MINIO, (), "1-2"))
        assert told["TIDEMILL_RUNNER_BOOSTING_IMAGE"] == f"r:1/runner@{DIGEST}"
        assert told["TIDEMILL_SERVER_BOOSTING_IMAGE"] == f"r:1/server@{DIGEST}"

    def test_changed_store_restarts_the_operator(self, renderer: Renderer) -> None:
        def template(version: str) -> dict[str, Any]:
            folder = renderer.operator(MINIO, (), version)
            found: dict[str, Any] = patch_of(folder, "Deployment")["spec"]["template"]
            return found

        assert template("1-2") == template("1-2")
        assert template("1-2") != template("1-3")

    def test_place_of_the_store(self, renderer: Renderer) -> None:
        place = Place("https://s3", "eu", "models", False, "PEM")
        assert patch_of(renderer.foundation(place), "ConfigMap")["data"] == {
            "endpoint": "https://s3",
            "region": "eu",
            "bucket": "models",
            "path-style": "false",
            "ca.crt": "PEM",
        }


class TestKeys:
    def test_random_keys_are_made_once(self) -> None:
        kubectl = Recorder()
        store.ensure_random_keys(kubectl)
        names = [body["metadata"]["name"] for body in kubectl.applied]
        assert names == ["minio-root", "tidemill-store"]
        values = [value for body in kubectl.applied for value in body["data"].values()]
        assert len(set(values)) == 4

    def test_keys_that_are_there_stay(self) -> None:
        there: dict[str, Body] = {f"secret/{n}": {"x": 1} for n in ("minio-root", "tidemill-store")}
        kubectl = Recorder(there=there)
        store.ensure_random_keys(kubectl)
        assert kubectl.applied == []

    def test_given_keys_become_the_secret(self) -> None:
        kubectl = Recorder()
        given = {"TIDEMILL_STORE_ACCESS_KEY": "a", "TIDEMILL_STORE_SECRET_KEY": "b"}
        store.ensure_given_keys(kubectl, given)
        assert kubectl.applied[0]["data"] == {"access-key": "YQ==", "secret-key": "Yg=="}

    def test_keys_may_be_there_already(self) -> None:
        kubectl = Recorder(there={"secret/tidemill-store": {"x": 1}})
        store.ensure_given_keys(kubectl, {})
        assert kubectl.applied == []

    def test_missing_keys_are_asked_for(self) -> None:
        with pytest.raises(InstallError, match="kubectl create secret generic tidemill-store"):
            store.ensure_given_keys(Recorder(), {})

    def test_no_key_is_on_a_command_line(self) -> None:
        kubectl = Recorder()
        store.ensure_random_keys(kubectl)
        keys = {value for body in kubectl.applied for value in body["data"].values()}
        assert not keys & {word for command in kubectl.done for word in command}


class TestRights:
    there: ClassVar[dict[str, Body]] = {
        f"{rights.NAMESPACE_KINDS}/-A": {
            "items": [{"metadata": {"namespace": name}} for name in ("a", "a", "b")]
        }
    }

    def deleted(self, namespaces: tuple[str, ...]) -> list[str]:
        kubectl = Recorder(there=self.there)
        rights.withdraw_others(kubectl, namespaces)
        return [" ".join(command) for command in kubectl.done if command[0] == "delete"]

    def test_whole_cluster_needs_no_role(self) -> None:
        found = self.deleted(())
        assert [c for c in found if "clusterroles" in c] == []
        assert [c.partition(" -n ")[2].split()[0] for c in found] == ["a", "b"]

    def test_namespaces_need_no_cluster_role(self) -> None:
        found = self.deleted(("b", "c"))
        assert "clusterroles" in found[0]
        assert [c.partition(" -n ")[2].split()[0] for c in found[1:]] == ["a"]


class TestRemoval:
    def commands(self, *, purge: bool) -> str:
        kubectl = Recorder()
        removal.remove(kubectl, purge=purge)
        return "\n".join(" ".join(command) for command in kubectl.done)

    def test_objects_and_data_stay(self) -> None:
        found = self.commands(purge=False)
        for word in ("/crds", "namespace ", "secrets", "persistentvolumeclaims"):
            assert word not in found
        assert "deployments" in found

    def test_purge_leaves_nothing(self) -> None:
        found = self.commands(purge=True)
        assert found.index("/crds") < found.index("deployments")
        assert "delete --ignore-not-found namespace tidemill-system" in found
