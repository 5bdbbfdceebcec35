"""What the pods of a model are told of the collector that they send traces to."""

from collections.abc import Sequence

from tidemill.api.v1alpha1.traces import RATIO, Traces


def environment(traces: Traces | None, networks: Sequence[str]) -> dict[str, str]:
    """Give the variables; `networks` are those that the administrator has opened."""
    if traces is None:
        return {}
    return {
        "TIDEMILL_TRACES_ENDPOINT": traces.endpoint,
        **({"TIDEMILL_TRACES_RATIO": traces.ratio} if traces.ratio != RATIO else {}),
        **({"TIDEMILL_HTTP_ALLOWED_NETWORKS": ",".join(networks)} if networks else {}),
    }
