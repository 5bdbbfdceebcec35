"""The kinds of this operator: which reconciler does which, and the HTTP routes they bring."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from tidemill.children.platform import Platform
from tidemill.data_api.models import ModelRoutes
from tidemill.data_api.readers import Readers
from tidemill.data_api.routes import DataRoutes
from tidemill.data_api.runs import RunRoutes
from tidemill.dataset.gate import Gate
from tidemill.dataset.housekeeping import KIND as RETENTION
from tidemill.dataset.housekeeping import Housekeeping, RetentionMetrics
from tidemill.dataset.materialising import Materialising
from tidemill.dataset.online_metrics import OnlineMetrics
from tidemill.dataset.reconcile import DatasetReconciler
from tidemill.dataset.shelves import Shelves
from tidemill.deployment.packages import Packages
from tidemill.deployment.reconcile import ModelDeploymentReconciler
from tidemill.engine.context import Context
from tidemill.engine.key import Key
from tidemill.engine.resync import ListKeys
from tidemill.engine.worker import Limits, Reconcile
from tidemill.jobs.launcher import Launcher
from tidemill.jobs.progress import ProgressBoard, Tokens
from tidemill.policy.permit import KIND as POLICY
from tidemill.policy.permit import policy_key
from tidemill.policy.watch import PolicyMetrics, PolicyWatch
from tidemill.settings import Settings
from tidemill.store.config import StoreConfig
from tidemill.store.objects import ObjectStore
from tidemill.training.reconcile import TrainingRunReconciler

# One look at a large store takes longer than a reconcile may, and one at a time is enough.
LIMITS = {RETENTION: Limits(workers=1, seconds=480.0), POLICY: Limits(workers=1, seconds=60.0)}
NAMES = ("Dataset", "TrainingRun", "ModelDeployment", RETENTION, POLICY)


@dataclass(frozen=True, slots=True)
class Kinds:
    """What the engine is given to run."""

    reconcilers: Mapping[str, Reconcile]
    routes: Sequence[web.RouteDef] = ()
    data_routes: Sequence[web.RouteDef] = ()  # on a port of their own
    sources: Sequence[ListKeys] = ()  # of keys that no watch tells
    first: Sequence[Key] = ()  # looked at as soon as this process leads
    limits: Mapping[str, Limits] = field(default_factory=dict)  # where others than the usual hold


def assemble(context: Context) -> Kinds:
    """Make the reconcilers of all kinds."""
    platform = _platform(context.settings)
    tokens = Tokens(platform.store_config.secret_key)
    board = ProgressBoard(tokens, context.queue.add)
    launcher = Launcher(context, platform, tokens)
    gate, shelves = Gate(), Shelves()
    metrics = RetentionMetrics(context.registry)
    housekeeping = Housekeeping(context, platform.store, gate, shelves, metrics)
    materialising = Materialising(launcher, OnlineMetrics(context.registry))
    reconcilers: dict[str, Reconcile] = {
        "Dataset": DatasetReconciler(launcher, gate, shelves, materialising).reconcile,
        "TrainingRun": TrainingRunReconciler(launcher, board).reconcile,
        "ModelDeployment": ModelDeploymentReconciler(
            context, platform, Packages(platform.store)
        ).reconcile,
        RETENTION: housekeeping.reconcile,
        POLICY: PolicyWatch(context, PolicyMetrics(context.registry)).reconcile,
    }
    readers = Readers(context.client)
    data = DataRoutes(platform.store, readers, context.settings.namespace)
    readable = [*data.routes(), *RunRoutes(data).routes(), *ModelRoutes(data).routes()]
    return Kinds(
        reconcilers,
        board.routes(),
        readable,
        sources=(housekeeping.namespaces,),
        first=(policy_key(context),),
        limits=LIMITS,
    )


def _platform(settings: Settings) -> Platform:
    config = StoreConfig.from_dirs(settings.store_config, settings.store_credentials)
    return Platform(
        store_config=config,
        store=ObjectStore(config),
        runner_image=settings.runner_image,
        server_image=settings.server_image,
        operator_url=settings.progress_url,
        runner_boosting_image=settings.runner_boosting_image,
        server_boosting_image=settings.server_boosting_image,
    )
