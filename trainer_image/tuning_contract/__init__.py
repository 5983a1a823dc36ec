"""What the operator and a training container must agree on.

Four things lie here: the environment variables of a trial (`environment`), the wire formats of its reports (`reports`)
and of the parameters that it names itself (`parameters`), and the exit codes (`exit_codes`). This package imports the
standard library only and knows nothing of Kubernetes, Optuna or PyTorch, so that any training stack can carry it.
"""

from tuning_contract.environment import TrialEnvironment, TrialEnvironmentError
from tuning_contract.exit_codes import ExitCode
from tuning_contract.parameters import ParameterReply, ParameterRequest
from tuning_contract.reports import FinalState, Report, ReportBatch, ReportReply, TrialEnd, WireError
from tuning_contract.version import CONTRACT_VERSION

__all__ = [
    "CONTRACT_VERSION",
    "ExitCode",
    "FinalState",
    "ParameterReply",
    "ParameterRequest",
    "Report",
    "ReportBatch",
    "ReportReply",
    "TrialEnd",
    "TrialEnvironment",
    "TrialEnvironmentError",
    "WireError",
]
