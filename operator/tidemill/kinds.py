"""The kinds of this operator: which reconciler does which, and the HTTP routes they bring."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from tidemill.children.platform import Platform
from tidemill.data_api.readers import Readers
from tidemill.data_api.routes import DataRoutes
from tidemill.dataset.reconcile import DatasetReconciler
from tidemill.deployment.reconcile import ModelDeploymentReconciler
from tidemill.engine.context import Context
from tidemill.engine.worker import Reconcile
from tidemill.jobs.launcher import Launcher
from tidemill.jobs.progress import ProgressBoard, Tokens
from tidemill.settings import Settings
from tidemill.store.config import StoreConfig
from tidemill.store.objects import ObjectStore
from tidemill.training.reconcile import TrainingRunReconciler


@dataclass(frozen=True, slots=True)
class Kinds:
    """What the engine is given to run."""

    reconcilers: Mapping[str, Reconcile]
    routes: Sequence[web.RouteDef] = ()
    data_routes: Sequence[web.RouteDef] = ()  # on a port of their own


def assemble(context: Context) -> Kinds:
    """Make the reconcilers of all kinds."""
    platform = _platform(context.settings)
    tokens = Tokens(platform.store_config.secret_key)
    board = ProgressBoard(tokens, context.queue.add)
    launcher = Launcher(context, platform, tokens)
    reconcilers: dict[str, Reconcile] = {
        "Dataset": DatasetReconciler(launcher).reconcile,
        "TrainingRun": TrainingRunReconciler(launcher, board).reconcile,
        "ModelDeployment": ModelDeploymentReconciler(context, platform).reconcile,
    }
    readers = Readers(context.client)
    data = DataRoutes(platform.store, readers, context.settings.namespace)
    return Kinds(reconcilers, board.routes(), data.routes())


def _platform(settings: Settings) -> Platform:
    config = StoreConfig.from_dirs(settings.store_config, settings.store_credentials)
    return Platform(
        store_config=config,
        store=ObjectStore(config),
        runner_image=settings.runner_image,
        server_image=settings.server_image,
        operator_url=settings.progress_url,
    )
