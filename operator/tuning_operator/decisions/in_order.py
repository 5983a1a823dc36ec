"""What the goal, the plateau and the limit of failed trials look at in a deterministic study: trials by number.

A trial counts once all before it do, and the trials that count end with the one at which a rule holds. So the same
trial ends the study in whatever order they end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.history import History, InOrder
from tuning_operator.decisions.stopping import looks_at_results, rule_on_results
from tuning_operator.decisions.tally import Tally
from tuning_operator.decisions.trials import FinishedTrial

NONE_COUNTED = InOrder(History())
"""Before the first trial."""


def in_order(
    history: History, finished: Callable[[int], FinishedTrial | None], spec: StudySpec, known: InOrder = NONE_COUNTED
) -> History:
    """Return a history that says which trials of a deterministic study count, where a rule looks at them; another
    study's stays as it is.

    `finished` returns a trial that has ended. With what is `known`, which the same spec must have led to, this costs no
    more than the trials from the oldest open one on.
    """
    if not spec.search.deterministic or not looks_at_results(spec):
        return history
    is_open = {trial.number for trial in history.open}
    new = (
        finished(number)
        for number in range(known.counted.total, history.total)
        if number not in is_open and number not in known.ahead
    )
    return replace(history, in_order=with_ends(known, (trial for trial in new if trial is not None), spec))


def with_ends(known: InOrder, ended: Iterable[FinishedTrial], spec: StudySpec) -> InOrder:
    """Return what counts once these trials have ended too."""
    ahead = {**known.ahead, **{trial.number: trial for trial in ended}}
    counted, stop = known.counted, known.stop
    while stop is None and counted.total in ahead:
        tally = Tally.of(counted, spec)
        tally.add(ahead.pop(counted.total))
        counted = replace(counted, total=tally.ended, **tally.sums())
        if rule_on_results(spec, counted) is not None:
            stop = counted.total - 1
    return InOrder(counted, ahead, stop)
