"""Strategies: what needs more than a sampler, one file each.

A strategy says of the next trial from which trial's checkpoint it goes on, how far it trains, and with which
parameters. It is a pure function of the stored trials and of random numbers that follow from the study's seed and the
trial's number: no state, no clock, no storage. So a new process proposes what the old one would have, at any point.
Which of two trials is better is said in `ranking.py`, for all of them.

Adding one: options in `api/strategies.py`, a name and a line in `api/samplers.py`, a file here, and a line in
`make_strategy`; where its rounds are known beforehand, they belong into `decisions/schedule.py`, for `tuning preview`.
"""

from tuning_operator.search.strategies.registry import make_strategy, sampler_of
from tuning_operator.search.strategies.strategy import Answer, Nothing, PastTrial, Proposal, Strategy

__all__ = ["Answer", "Nothing", "PastTrial", "Proposal", "Strategy", "make_strategy", "sampler_of"]
