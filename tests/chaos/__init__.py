"""Random sequences of all faults of `tests.faults`, for as long as one likes: `make chaos SECONDS=1800 SEED=7`.

The rules and the faults are those of the tests; here is only what chooses, watches and counts. The same seed gives the
same choices, though not the same interleaving.
"""
