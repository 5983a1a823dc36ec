"""What the operator and the search process say to each other; both as pickles, for both ends are this program."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial

from tuning_operator.errors import SearchUnavailable
from tuning_operator.search.asking import Asking
from tuning_operator.search.naming import Wanted
from tuning_operator.search.suggester import Past, Suggestion


@dataclass(frozen=True)
class Call:
    """What a suggester is asked for."""

    study: int
    """Tells the suggesters of this process apart."""
    past: Past | None
    """With a suggester's first call."""
    ended: Sequence[FrozenTrial]
    count: int
    seconds: float
    forgotten: Sequence[int]
    """Studies that nobody will ask for again."""
    wanted: Wanted | None = None
    """A parameter that is asked for instead of trials."""


@dataclass(frozen=True)
class Answer:
    """What a call led to."""

    suggestions: Sequence[Suggestion] = ()
    size: int | None = None
    why_none: str = ""
    value: Any = None
    """Of the parameter that was asked for, as Optuna has it."""
    error: Exception | None = None
    stack: str = ""
    """Where the error came from, as Python shows it: a pickle of it does not say."""


def answer(call: Call, studies: dict[int, Asking]) -> Answer:
    """Ask the call's study; `studies` are those that are known, by number."""
    for number in call.forgotten:
        studies.pop(number, None)
    try:
        if call.past is not None:
            studies[call.study] = Asking(call.past)
        asking = studies.get(call.study)
        if asking is None:  # another study's call ended the process that knew this one
            raise SearchUnavailable("the process that asks the sampler was started again; the study is told it anew")
        if call.wanted is not None:
            return Answer(size=asking.size(), why_none=asking.why_none(), value=asking.choose(call.ended, call.wanted))
        suggestions = asking.suggest(call.ended, call.count, call.seconds)
        return Answer(suggestions, asking.size(), asking.why_none())
    except Exception as error:  # noqa: BLE001 - whatever a sampler raises is the caller's
        return Answer(error=error, stack=traceback.format_exc())
