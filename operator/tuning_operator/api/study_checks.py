"""What the fields of a study's spec must agree upon, each check a sentence about what does not.

What a single field may hold is said where that field is; what the API server can check too stands in `study_rules`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from tuning_operator.api.conditional_parameters import why_conditions_fail, why_not_given_together
from tuning_operator.api.constraints import Constraints
from tuning_operator.api.named_parameters import WITH_LOGS, why_not_by_run
from tuning_operator.api.parameters import Parameter, ParameterType
from tuning_operator.api.pruners import PrunerName, WilcoxonOptions
from tuning_operator.api.samplers import GridOptions, SamplerName
from tuning_operator.api.sentences import YAML_BOOLEANS, one_line, shown
from tuning_operator.api.several_objectives import why_not_together
from tuning_operator.api.strategies import why_nothing_changes
from tuning_operator.api.trial_template import references

if TYPE_CHECKING:
    from tuning_operator.api.study import StudySpec

NO_CHECKPOINTS = (
    "`search.sampler` is a strategy whose trials go on from other trials' checkpoints, but `trial.checkpoints` "
    "names no volume for them; add it, or take another sampler"
)
NOTHING_TO_SEARCH = (
    "`parameters` is empty, so that there is nothing to search; name some, or write `defineByRun: true` if the trials' "
    "code names them"
)
TWO_JUDGES = (
    "`search.sampler` is a strategy that itself decides which trials go on, so that `search.pruner` can only be None "
    "or Threshold; remove it, or take another sampler"
)
PARALLELISM = "`parallelism`{0} is above `maxTrials`{1}; lower it or raise `maxTrials`"
ENDLESS_BRUTE_FORCE = "BruteForce can't try every value of {parameter}; give it a `step`"
ENDLESS_GRID = (
    "Grid can't try every value of {parameter}; give it a `step` on a Linear scale, or the sampler the option `points`"
)
NO_NUMBERS = (
    "CMAES searches only Float and Int parameters that every trial has, and there are none; take another sampler"
)

_MOST_EVALUATED = 1_000
"""Constraints times enqueued trials that are looked at here; the search looks at all of them before the first trial."""


def why_fields_disagree(spec: StudySpec) -> str | None:
    """Return the first thing that the fields of a spec do not agree upon, None when they do."""
    return next((problem for check in _CHECKS if (problem := check(spec)) is not None), None)


def _metrics(spec: StudySpec) -> str | None:
    if (twice := _repeated(objective.metric for objective in spec.objectives)) is not None:
        return f"the metric `{one_line(twice)}` stands twice in `objectives`; remove one"
    if (twice := _repeated(constraint.metric for constraint in spec.metric_constraints)) is not None:
        return (
            f"the metric `{one_line(twice)}` stands twice in `metricConstraints`; give one entry both `max` and `min`"
        )
    return None


def _objectives(spec: StudySpec) -> str | None:
    return why_not_together(len(spec.objectives), spec.search, spec.stopping)


def _something_to_search(spec: StudySpec) -> str | None:
    if not spec.define_by_run:
        return None if spec.parameters else NOTHING_TO_SEARCH
    if (problem := why_not_by_run(spec.search, bool(spec.parameters))) is not None:
        return problem
    return WITH_LOGS if spec.trial.metrics.read_from_logs is not None else None


def _parameters(spec: StudySpec) -> str | None:
    if (twice := _repeated(parameter.name for parameter in spec.parameters)) is not None:
        return f"the parameter `{twice}` stands twice in `parameters`; rename or remove one"
    return why_conditions_fail(spec.parameters)


def _parallelism(spec: StudySpec) -> str | None:
    if spec.parallelism > spec.max_trials:
        return PARALLELISM.format(f" ({spec.parallelism})", f" ({spec.max_trials})")
    return None


def _enqueued(spec: StudySpec) -> str | None:
    parameters = {parameter.name: parameter for parameter in spec.parameters}
    for index, trial in enumerate(spec.search.enqueue):
        where = f"`search.enqueue[{index}]"
        for name, value in trial.items():
            if name not in parameters and name in ("true", "false"):
                made_of = f"which YAML makes of {YAML_BOOLEANS}"
                return f"{where}` names `{name}`, {made_of}; put the name of a parameter into quotes"
            if name not in parameters and spec.define_by_run:
                continue  # whether the code ever names it is not known
            if name not in parameters:
                return f"{where}` names `{name}`, which is not in `parameters`; remove it"
            if not parameters[name].contains(value):
                return (
                    f"{where}.{name}` is {shown(value)}, which lies outside of the parameter's values; change it or "
                    "widen the parameter"
                )
        known = {name: value for name, value in trial.items() if name in parameters}
        if (problem := why_not_given_together(known, parameters)) is not None:
            return f"{where}` {problem}"
    return None


def _constraints(spec: StudySpec) -> str | None:
    if not spec.constraints:
        return None
    constraints = Constraints(spec.constraints, spec.parameters)
    few = _MOST_EVALUATED // len(spec.constraints)
    for index, trial in enumerate(spec.search.enqueue[:few]):
        if violated := constraints.why_given_violates(trial):
            return f"`search.enqueue[{index}]` violates the constraint {violated}; change one of them"
    return None


def _every_value_can_be_tried(spec: StudySpec) -> str | None:
    sampler, options = spec.search.sampler, spec.search.sampler.parsed_options()
    for parameter in spec.parameters:
        if sampler.name is SamplerName.BRUTE_FORCE and parameter.is_continuous:
            return ENDLESS_BRUTE_FORCE.format(parameter=f"`{parameter.name}`")
        is_log = parameter.scale is not None and parameter.scale.is_logarithmic
        if isinstance(options, GridOptions) and not options.points and (parameter.is_continuous or is_log):
            return ENDLESS_GRID.format(parameter=f"`{parameter.name}`")
    return None


def _cma_es_has_numbers(spec: StudySpec) -> str | None:
    if spec.search.sampler.name is not SamplerName.CMA_ES or _searched_numbers(spec.parameters):
        return None
    return NO_NUMBERS


def _searched_numbers(parameters: Sequence[Parameter]) -> list[Parameter]:
    numbers = (ParameterType.FLOAT, ParameterType.INT)
    return [p for p in parameters if p.type in numbers and p.when is None and p.low != p.high]


def _strategies_have_what_they_need(spec: StudySpec) -> str | None:
    if spec.search.sampler.name.inherits_checkpoints:
        if spec.trial.checkpoints is None:
            return NO_CHECKPOINTS
        if spec.search.pruner.name not in (PrunerName.NONE, PrunerName.THRESHOLD):
            return TWO_JUDGES
    return why_nothing_changes(spec.search.sampler.parsed_options(), spec.parameters)


def _wilcoxon_has_runs_to_compare(spec: StudySpec) -> str | None:
    options = spec.search.pruner.parsed_options()
    return options.why_useless(spec.trial.runs) if isinstance(options, WilcoxonOptions) else None


def _logs_can_have_the_metrics(spec: StudySpec) -> str | None:
    problems = (spec.trial.metrics.why_unseen(metric) for metric in spec.measured)
    return next((problem for problem in problems if problem is not None), None)


def _references_name_parameters(spec: StudySpec) -> str | None:
    parameters = {parameter.name: parameter for parameter in spec.parameters}
    for name in references(spec.trial.template):
        if name not in parameters:
            return (
                f"`trial.template` uses $(PARAM_{one_line(name)}), which names no parameter; "
                "add it to `parameters` or correct the name"
            )
        if parameters[name].when is not None and parameters[name].otherwise is None:
            return (
                f"`trial.template` uses $(PARAM_{name}), but not every trial has `{name}`; "
                "say by `otherwise` in its `when` what the others use, or read it from TUNING_PARAMETERS"
            )
    return None


def _repeated(names: Iterable[str]) -> str | None:
    return next((name for name, count in Counter(names).items() if count > 1), None)


_CHECKS: Sequence[Callable[[StudySpec], str | None]] = (
    _metrics,
    _objectives,
    _something_to_search,
    _parameters,
    _parallelism,
    _enqueued,
    _constraints,
    _every_value_can_be_tried,
    _cma_es_has_numbers,
    _strategies_have_what_they_need,
    _wilcoxon_has_runs_to_compare,
    _logs_can_have_the_metrics,
    _references_name_parameters,
)
"""In this order: later ones rely on what earlier ones have made sure of."""
