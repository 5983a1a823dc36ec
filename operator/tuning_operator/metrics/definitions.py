"""How a metric is defined: it is served, described on the reference page, and forgotten with its study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from tuning_operator.decisions.snapshot import StudyKey

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Content type of `Definitions.exposition`."""

STUDY = ("namespace", "study")
"""The labels of a study's metrics, before any others."""

_Metric = TypeVar("_Metric", Gauge, Counter)


@dataclass(frozen=True)
class Description:
    """What the reference page says of a metric."""

    name: str
    kind: str
    text: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()


class Definitions:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.descriptions: list[Description] = []
        self._of_studies: list[Gauge | Counter] = []
        """Those whose series vanish with a study."""

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def forget_study(self, study: StudyKey) -> None:
        """Remove the series of a study that no longer exists; one that has none is no harm."""
        for metric in self._of_studies:
            metric.remove_by_labels({"namespace": study.namespace, "study": study.name})

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        self.descriptions.append(Description(name, "gauge", text, labels))
        return self._kept(Gauge(name, text, labels, registry=self.registry), labels)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        self.descriptions.append(Description(name, "counter", text, labels))
        return self._kept(Counter(name, text, labels, registry=self.registry), labels)

    def _kept(self, metric: _Metric, labels: tuple[str, ...]) -> _Metric:
        if labels[: len(STUDY)] == STUDY:
            self._of_studies.append(metric)
        return metric

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        self.descriptions.append(Description(name, "histogram", text, (), buckets))
        return Histogram(name, text, buckets=buckets, registry=self.registry)
