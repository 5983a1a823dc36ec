"""Studies' histories and the search: what to try next, what to prune, and the database that keeps it all.

The only package that imports Optuna and SQLAlchemy. No policy of a study lies here (when it ends, what a failure
means: that is `decisions/`), and nothing of Kubernetes or HTTP.

Optuna is used with a mirror of its storage in memory, for its own database storage reads every running trial again at
each ask and report. `storage.py` is the mirror, `trial_rows.py` and `loading.py` write and read Optuna's tables, and
`writer.py` commits the writes of many trials together. The tables and a few private names are those of the Optuna
version that `pyproject.toml` pins; Optuna's own test suite for storages runs on the mirror.
"""

from tuning_operator.search.repositories import StudyRepositories

__all__ = ["StudyRepositories"]
