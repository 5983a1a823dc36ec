"""What a trial was told, or has said, between the look that a decision was made on and the moment that it is stored.

A report can come in at any time. These are the orders, of an attempt's last message say, and what its pod is answered:

1. It is stored before the look: the decision knows it.
2. It is stored after the look and before the decision is: its pod was answered that it is taken. What is decided
   without it does not hold; the study looks again, and decides with it.
3. It comes while the decision is being stored, or later: it waits for that, is not stored, and its pod is answered that
   the trial has ended, or has another attempt.

The same goes for a decision to prune, which its pod is told in an answer. Each comes once in an attempt, so that
nothing is put off for ever. Mere reports put nothing off, for a trial may report all the time; they count in its value.
"""

from __future__ import annotations

from dataclasses import replace

from tuning_operator.decisions.actions import NewAttempt, Outcome
from tuning_operator.decisions.trial_value import all_finite, finite
from tuning_operator.decisions.trials import EndState, OpenTrial


def still_holds(decided: Outcome | NewAttempt, trial: OpenTrial) -> bool:
    """Return whether nothing was said since that another decision would follow from; `trial` is as it is now."""
    if decided.after != trial.last_words:
        return False
    is_complete = isinstance(decided, Outcome) and decided.state is EndState.COMPLETE
    return not is_complete or trial.is_finite


def with_all_reports(outcome: Outcome, trial: OpenTrial) -> Outcome:
    """Return an outcome that holds with the value of all reports that were taken until now."""
    if outcome.state is EndState.FAILED or (trial.value is None and not trial.further):
        return outcome
    return replace(outcome, value=finite(trial.value), further=all_finite(trial.further))
