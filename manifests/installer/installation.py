"""The order of an installation: definitions, namespace, store, operator; then waiting for each."""

from dataclasses import dataclass

from . import definitions, images, network, rights, store
from .failure import InstallError
from .kubectl import Kubectl
from .options import ROOT, Options
from .progress import say, step
from .rendering import OPERATOR, Renderer
from .store import NAMESPACE, Place

CRDS = ROOT / "crds"
SETUP_JOB = "job/minio-setup"


@dataclass(frozen=True)
class Installation:
    """One run of the installation."""

    kubectl: Kubectl
    options: Options
    place: Place
    renderer: Renderer

    def run(self) -> None:
        """Install; what is right already stays as it is."""
        self._check_namespaces()
        with step("definitions of the kinds", about=3):
            definitions.establish(self.kubectl, CRDS, self.options.timeout)
        with step("namespace, store and operator: applied", about=5):
            self.kubectl.apply_folder(self.renderer.foundation(self.place))
            self._apply_store()
            self._apply_operator()
        self._apply_network()
        if self.options.minio:
            self._wait_for_minio()
        with step("operator: running", about=15):
            self._wait_rollout(f"deployment/{OPERATOR}")
        where = ", ".join(self.options.namespaces) or "all namespaces"
        say(f"Tidemill serves {where}; its store is {self.place.endpoint}")

    @property
    def _limit(self) -> str:
        return f"--timeout={self.options.timeout}s"

    def _check_namespaces(self) -> None:
        for namespace in (*self.options.namespaces, *(self.options.closed or ())):
            if self.kubectl.get("namespace", namespace) is None:
                raise InstallError(
                    f"there is no namespace {namespace}: `kubectl create namespace {namespace}`"
                )

    def _apply_store(self) -> None:
        if self.options.minio:
            store.ensure_random_keys(self.kubectl)
            self.kubectl.apply_folder(self.renderer.minio())
        else:
            store.ensure_given_keys(self.kubectl)

    def _apply_operator(self) -> None:
        version = store.version(self.kubectl)
        namespaces = self.options.namespaces
        self.kubectl.apply_folder(self.renderer.operator(self.place, namespaces, version))
        rights.withdraw_others(self.kubectl, namespaces)

    def _apply_network(self) -> None:
        closed = self.options.closed
        if closed is None:
            return
        with step("network policies: applied", about=3):
            patches = network.patches(self.kubectl, self.place, in_cluster=self.options.minio)
            folders = [self.renderer.network(name, patches) for name in closed]
            for folder in (*folders, *([self.renderer.network("", [])] if closed else [])):
                self.kubectl.apply_folder(folder)
            network.withdraw_others(self.kubectl, closed)

    def _wait_for_minio(self) -> None:
        with step("MinIO: running", about=15):
            self._wait_rollout("statefulset/minio")
        with step("MinIO: bucket and user", about=5):
            self.kubectl.delete(SETUP_JOB, "-n", NAMESPACE)
            self.kubectl.apply_folder(self.renderer.minio_setup())
            self._wait(SETUP_JOB, "wait", "--for=condition=Complete", SETUP_JOB)

    def _wait_rollout(self, what: str) -> None:
        self._wait(what, "rollout", "status", what)

    def _wait(self, what: str, *command: str) -> None:
        try:
            self.kubectl.run(*command, "-n", NAMESPACE, self._limit)
        except InstallError as error:
            pods = self.kubectl.try_run("get", "pods", "-n", NAMESPACE, "-o", "wide")
            log = self.kubectl.try_run("logs", what, "-n", NAMESPACE, "--tail=20")
            raise InstallError(f"{error}\n\n{pods}\n\nlast lines of {what}:\n{log}") from error


def prepare(options: Options) -> Installation:
    """Read the images and put the parts together."""
    if options.place is None:
        raise InstallError("where the object store is was not said")
    needed = ("operator", "runner", "server", *(("minio",) if options.minio else ()))
    found = images.load(options.images, needed, ("runner-boosting", "server-boosting"))
    renderer = Renderer(ROOT / "manifests", ROOT / "build/install", found)
    return Installation(options.kubectl, options, options.place, renderer)
