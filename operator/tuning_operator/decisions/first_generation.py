"""Whether a study ends within its first generation, which is random."""

from __future__ import annotations

from tuning_operator.api.samplers import NSGAIIOptions
from tuning_operator.api.strategies import RegularizedEvolutionOptions
from tuning_operator.api.study import StudySpec


def warnings_of_first_generation(spec: StudySpec) -> list[str]:
    """Return a sentence where the study has no trial left for a second generation."""
    options = spec.search.sampler.parsed_options()
    if not isinstance(options, NSGAIIOptions | RegularizedEvolutionOptions) or spec.search.warm_start:
        return []
    size, name = options.population_size, spec.search.sampler.name.value
    if spec.max_trials > size:
        return []
    return [
        f"`maxTrials` is {spec.max_trials}, and {name} draws the first {size} trials at random (`populationSize`); "
        "raise the one, or lower the other"
    ]
