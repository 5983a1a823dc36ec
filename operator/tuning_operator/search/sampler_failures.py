"""What a sampler raises and should not, as an error that names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tuning_operator.api.samplers import SamplerName
from tuning_operator.errors import SearchFailed, TuningError

_MOST_LETTERS = 500
"""Of what a library says about its own failure: some show whole arrays."""


@contextmanager
def failures_named(sampler: SamplerName) -> Iterator[None]:
    """Turn what a sampler raises and should not into `SearchFailed`."""
    try:
        yield
    except TuningError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:_MOST_LETTERS]
        cause = f"{type(error).__name__}: {said}" if said else type(error).__name__
        raise SearchFailed(
            f"the sampler {sampler.value} failed with {cause}; this is a defect: please report it with its stack, "
            "which the log has; another `search.sampler` can go on with the study's trials"
        ) from error
