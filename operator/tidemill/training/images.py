"""Which image a run's Job has: by its last step or what it imports; code may return any."""

from tidemill.api.v1alpha1.estimator import LIBRARIES_OF_TREES
from tidemill.api.v1alpha1.training_run import TrainingRunSpec
from tidemill.children.platform import Platform
from tidemill.training import brought


def image_of(spec: TrainingRunSpec, platform: Platform) -> str:
    """Give the runner image that a Job started now would use."""
    sklearn = spec.estimator.sklearn
    last = sklearn.steps[-1].class_ if sklearn else ""
    if spec.estimator.import_:
        return platform.runner_for(boosted=brought.needs_trees(spec))
    boosted = sklearn is None or last.partition(".")[0] in LIBRARIES_OF_TREES
    return platform.runner_for(boosted=boosted)
