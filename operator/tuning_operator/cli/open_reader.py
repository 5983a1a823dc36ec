"""From the argument STUDY to what reads it."""

from __future__ import annotations

from pathlib import Path

from tuning_operator.cli.study_reader import StudyReader

SUFFIXES = (".yaml", ".yml", ".json")
"""Endings that make an argument a file of this machine; any other one is the name of a study on the cluster."""


def is_file(study: str) -> bool:
    """Return whether the argument STUDY names a study of this machine."""
    return study.lower().endswith(SUFFIXES)


def open_reader(study: str, namespace: str | None, context: str | None, service: str | None) -> StudyReader:
    """Return the reader of a local study (a file's name) or of the cluster's (any other name)."""
    if is_file(study):
        from tuning_operator.cli.local_reader import LocalReader

        return LocalReader.of_file(Path(study))
    # The cluster's client is not for local studies to load, and Optuna not for the cluster's.
    from tuning_operator.cli.cluster_reader import ClusterReader, checked_service
    from tuning_operator.cli.cluster_study import ClusterStudy

    return ClusterReader(ClusterStudy.of_context(study, namespace, context), service and checked_service(service))
