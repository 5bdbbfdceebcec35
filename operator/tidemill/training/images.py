"""Which image a run's Job has: by the class of its last step."""

from tidemill.api.v1alpha1.training_run import LIBRARIES_OF_TREES, TrainingRunSpec
from tidemill.children.platform import Platform


def image_of(spec: TrainingRunSpec, platform: Platform) -> str:
    """Give the runner image that a Job started now would use."""
    sklearn = spec.estimator.sklearn
    last = sklearn.steps[-1].class_ if sklearn else ""
    return platform.runner_for(boosted=last.partition(".")[0] in LIBRARIES_OF_TREES)
