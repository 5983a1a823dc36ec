"""How good the search is: each sampler and pruner on test functions, beside Optuna's own in the same simulation.

`python -m benchmarks.search --jobs 16 --out results.jsonl` computes, `python -m benchmarks.search.report results.jsonl`
makes the tables and pictures of docs/search.md. Trials are simulated: an event list and a clock that jumps from event
to event, so that 64 parallel trials of half an hour each take milliseconds. What is searched with is real: the engine,
the decisions, the repository and its database on the product's side, Optuna's ask and tell on the other.
"""
