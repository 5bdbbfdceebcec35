"""The metrics of several models and of their server as one page: a model's bear its name."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import Metric, generate_latest
from prometheus_client.registry import Collector

from tidemill_server.metrics.registry import Metrics


class Together(Collector):
    """Each family once, whoever has it. The server's own samples bear no model's name."""

    def __init__(self, server: Metrics, models: Callable[[], Mapping[str, Metrics]]) -> None:
        self._server = server
        self._models = models

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for name, metrics in {"": self._server, **self._models()}.items():
            label = {"model": name} if name else {}
            for family in metrics.registry.collect():
                whole = families.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                whole.samples += [
                    sample._replace(labels={**sample.labels, **label}) for sample in family.samples
                ]
        yield from families.values()

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self)
