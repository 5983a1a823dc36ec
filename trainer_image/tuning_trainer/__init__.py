"""The SDK of training scripts, and the ready-made trainer (`python -m tuning_trainer`).

    import tuning_trainer as tuning

    trial = tuning.current_trial(defaults={"learning_rate": 0.001})
    for epoch in range(1, (trial.budget or 25) + 1):
        ...
        trial.report({"val_accuracy": accuracy}, step=epoch)
        if trial.should_prune():
            trial.prune()

Importing this package needs the standard library and `tuning_contract` only, on Python 3.10 and newer. Only
`tuning_trainer.tasks`, the ready-made trainer's tasks, may import anything else, and only while a task runs,
`tuning_trainer.checkpoints` PyTorch once a checkpoint is written or read, `tuning_trainer.lr_range` PyTorch once a test
runs, and the modules of `tuning_trainer.callbacks`, each its training framework. Nothing here knows of Kubernetes, and
nothing imports `tuning_operator`.
"""

from tuning_trainer.checkpoints import Checkpoint
from tuning_trainer.errors import CheckpointError, ParameterError, ReportError, TrialFailed, TrialPruned
from tuning_trainer.optuna_adapter import OptunaTrial, optuna_trial
from tuning_trainer.session import current_trial
from tuning_trainer.trial import Trial

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "OptunaTrial",
    "ParameterError",
    "ReportError",
    "Trial",
    "TrialFailed",
    "TrialPruned",
    "current_trial",
    "optuna_trial",
]
