"""Which of two values is better."""

from __future__ import annotations

from tuning_operator.api.study import Direction, Objective


def is_better(value: float | None, than: float | None, direction: Direction) -> bool:
    """Return whether a value beats another one; equal values do not, so the earlier trial stays the best."""
    if value is None or than is None:
        return than is None
    return value > than if direction is Direction.MAXIMIZE else value < than


def reaches_goal(value: float | None, objective: Objective) -> bool:
    """Return whether a value is as good as the objective's goal."""
    if value is None or objective.goal is None:
        return False
    return value == objective.goal or is_better(value, objective.goal, objective.direction)
