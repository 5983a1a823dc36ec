"""A Kubernetes operator that tunes hyperparameters.

Data has one natural way through: resource -> snapshot -> plan -> Job -> report -> trial -> status.
`docs/architecture.md` draws the rooms; each package's docstring says what may live in it.
"""

__version__ = "0.1.0"
