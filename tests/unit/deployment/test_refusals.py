"""What is told of a version that does not come up."""

from dataclasses import replace

import pytest

from tidemill.api.v1alpha1.model_deployment import ModelDeploymentSpec, ModelDeploymentStatus
from tidemill.api.v1alpha1.reasons import Reason
from tidemill.children.pods import Diagnosis
from tidemill.deployment.decide import decide
from tidemill.deployment.observed import DeploymentView, Observed, Target

SPEC = ModelDeploymentSpec.model_validate({"model": {"run": "r"}})
OLD = Target("s3://t/models/n/m/1/", "sha256:" + "1" * 64)
NEW = Target("s3://t/models/n/m/2/", "sha256:" + "2" * 64)
SERVING = DeploymentView("old", "u1", "r1", OLD, replicas=1, ready=1, available=True)
COMING = DeploymentView("new", "u2", "r2", NEW, replicas=1, ready=0, available=False)


@pytest.mark.parametrize("serving", [True, False], ids=["old-one-serves", "first-one"])
@pytest.mark.parametrize(
    ("reason", "told", "way_out"),
    [
        (Reason.PICKLE_REFUSED, Reason.PICKLE_REFUSED, True),
        (Reason.DIGEST_MISMATCH, Reason.DIGEST_MISMATCH, True),
        (Reason.MODEL_UNLOADABLE, Reason.MODEL_UNLOADABLE, True),
        (Reason.OOM_KILLED, Reason.OOM_KILLED, False),
        (Reason.CONTAINER_FAILED, Reason.CRASH_LOOPING, False),
    ],
)
def test_the_way_out_of_a_bad_package_is_told(
    reason: Reason, told: Reason, way_out: bool, serving: bool
) -> None:
    trouble = Diagnosis(reason, "what is wrong", "pod", final=True)
    observed = Observed(NEW, (COMING,), selected="r2", trouble=trouble)
    if serving:
        observed = replace(observed, deployments=(SERVING, COMING), selected="r1")
    plan = decide(SPEC, ModelDeploymentStatus(conditions=[]), observed, "r2", "http://m.n.svc")
    message = plan.verdict.message
    assert (plan.verdict.reason, plan.verdict.stalled) == (told, True)
    assert message.startswith("version 222222222222: what is wrong")
    assert ("name another in spec.model" in message) is way_out
    assert message.endswith("version 111111111111 keeps serving") is serving
