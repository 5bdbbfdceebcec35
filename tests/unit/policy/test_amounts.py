"""What a pod may use is counted as the scheduler does."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.policy import amounts
from tidemill.policy.amounts import Container

GI = 2**30


def container(name: str = "c", sidecar: bool = False, **resources: Any) -> dict[str, Any]:
    restart = {"restartPolicy": "Always"} if sidecar else {}
    return {"name": name, "resources": resources, **restart}


def limit(memory: str, **more: Any) -> dict[str, Any]:
    return container(limits={"memory": memory}, **more)


@pytest.mark.parametrize(
    ("first", "working", "expected"),
    [
        pytest.param([], ["1Gi"], GI, id="one"),
        pytest.param([], ["1Gi", "2Gi"], 3 * GI, id="together"),
        pytest.param([("5Gi", False)], ["1Gi", "2Gi"], 5 * GI, id="one before needs more"),
        pytest.param([("1Gi", False), ("2Gi", False)], ["1Gi"], 2 * GI, id="one after another"),
        pytest.param([("1Gi", True)], ["1Gi"], 2 * GI, id="a sidecar stays"),
        pytest.param([("1Gi", True), ("3Gi", False)], ["1Gi"], 4 * GI, id="beside a sidecar"),
        pytest.param([("3Gi", False), ("1Gi", True)], ["1Gi"], 3 * GI, id="before a sidecar"),
    ],
)
def test_memory(first: list[tuple[str, bool]], working: list[str], expected: int) -> None:
    pod = {
        "initContainers": [limit(memory, sidecar=sidecar) for memory, sidecar in first],
        "containers": [limit(memory) for memory in working],
    }
    assert amounts.of_pod(amounts.of_containers(pod))["memory"] == expected


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        pytest.param({"limits": {"memory": "1Gi"}}, GI, id="limit"),
        pytest.param(
            {"requests": {"memory": "1Gi"}}, amounts.UNBOUNDED, id="without a limit all there is"
        ),
        pytest.param({}, amounts.UNBOUNDED, id="nothing is said"),
        pytest.param(
            {"requests": {"memory": "1Gi"}, "limits": {"memory": "lots"}}, GI, id="unreadable"
        ),
    ],
)
def test_a_container(resources: dict[str, Any], expected: Decimal) -> None:
    (one,) = amounts.of_containers({"containers": [container(**resources)]})
    assert one.uses["memory"] == expected


def test_cpu_counts_as_requested_or_limited() -> None:
    (one,) = amounts.of_containers(
        {"containers": [container(requests={"cpu": "500m"}, limits={"cpu": 2, "memory": "1Gi"})]}
    )
    assert one.uses["cpu"] == 2
    (free,) = amounts.of_containers({"containers": [limit("1Gi")]})
    assert "cpu" not in free.uses


def test_a_device_counts() -> None:
    (one,) = amounts.of_containers({"containers": [container(limits={"nvidia.com/gpu": "2"})]})
    assert one.uses["nvidia.com/gpu"] == 2


plain = st.builds(
    Container,
    st.just("c"),
    st.fixed_dictionaries({"memory": st.integers(0, 100).map(Decimal)}),
    st.booleans(),
)


@given(st.lists(plain, max_size=8))
def test_it_is_the_most_that_runs_at_any_moment(containers: list[Container]) -> None:
    """Played through: whoever runs at a time are those that stay and at most one that ends."""
    moments, staying = [Decimal(0)], Decimal(0)
    for one in containers:
        amount = one.uses["memory"]
        moments.append(staying + amount)
        staying += Decimal(0) if one.first else amount
    assert amounts.of_pod(containers).get("memory", Decimal(0)) == max(moments)
    assert amounts.of_all(amounts.of_pod(containers), 3).get("memory", 0) == 3 * max(moments)
