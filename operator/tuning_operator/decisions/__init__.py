"""What to do next: pure functions from a snapshot to a plan.

No I/O, no clock, no randomness and no third-party library: `now` comes with the snapshot, and everything that a
decision needs is in it. One policy a file: `decide()` in `plan.py` calls them in order.
"""
