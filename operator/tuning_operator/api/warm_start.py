"""Results that a study's sampler learns from before its first trial."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from tuning_operator.api.model import CEL_RULES, ResourceModel, cel
from tuning_operator.api.names import STUDY_NAME

MAX_SOURCES = 10
MAX_CSV = 100_000
"""Characters: with more, `kubectl apply` could not note the object in its annotation."""

_ONE_SOURCE = "a warm start has one of `study`, `storageStudy` and `csv`; write one item for each"
_SOURCES = ("study", "storageStudy", "csv")


class WarmStart(ResourceModel):
    """Where results come from: another study, or a table."""

    model_config = ConfigDict(
        json_schema_extra={
            CEL_RULES: [
                cel(f"[{', '.join(f'has(self.{name})' for name in _SOURCES)}].filter(x, x).size() == 1", _ONE_SOURCE)
            ]
        }
    )

    study: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=STUDY_NAME)] | None = None
    """A TuningStudy of this namespace, deleted or not: the newest history of that name in the storage."""
    storage_study: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    """Any study in the same storage by its name there, but for other namespaces' TuningStudies."""
    csv: Annotated[str, StringConstraints(min_length=1, max_length=MAX_CSV)] | None = None
    """A table, a trial a line; the first line names parameters and metrics, as Optuna's `trials_dataframe` does."""

    @model_validator(mode="after")
    def _has_one_source(self) -> WarmStart:
        if sum(source is not None for source in (self.study, self.storage_study, self.csv)) != 1:
            raise ValueError(_ONE_SOURCE)
        return self

    def __str__(self) -> str:
        if self.study is not None:
            return f"the study {self.study}"
        return "the CSV" if self.storage_study is None else f"the storage's study {self.storage_study}"


WarmStarts = Annotated[list[WarmStart], Field(max_length=MAX_SOURCES)]
