"""Programs that measure the budgets of docs/performance.md, each beside a reference that it measures in the same run.

`python -m benchmarks` runs them all and prints one table; each also runs alone (`python -m benchmarks.local_run`).
A program measures and says what it found; it never fails because something was slow, for times on a shared machine
are worth nothing without their reference. What a machine lacks is named in the table.

No module of the product or of its tests imports this package. Whatever is started here ends with its program.
"""
