"""The group, the labels and annotations, and the names of Jobs."""

from __future__ import annotations

from tuning_contract.parameters import PARAMETER_NAME as CONTRACT_PARAMETER_NAME

GROUP = "tuning-operator.io"
VERSION = "v1alpha1"
KIND = "TuningStudy"
PLURAL = "tuningstudies"
SHORT_NAME = "ts"
API_VERSION = f"{GROUP}/{VERSION}"

STUDY_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
PARAMETER_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
NAMED_PARAMETER = rf"^{CONTRACT_PARAMETER_NAME.pattern}$"
METRIC_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_./@:-]{0,127}$"
LABEL_VALUE = r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"
CLAIM_NAME = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
CHECKPOINT_PATH = r"^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$"

IN_WORDS = {
    STUDY_NAME: "must consist of lower-case letters, digits and `-`, without dots",
    PARAMETER_NAME: "must consist of letters, digits and `_`, and not begin with a digit",
    NAMED_PARAMETER: "must consist of at most 128 letters, digits and `_./@:[]-`, and begin with a letter, a digit "
    "or `_`",
    LABEL_VALUE: "must consist of letters, digits and `-_.`, and begin and end with a letter or a digit",
    METRIC_NAME: "must consist of at most 128 letters, digits and `_./@:-`, and begin with a letter, a digit or `_`",
    CLAIM_NAME: "must be the name of a PersistentVolumeClaim: lower-case letters, digits, `-` and `.`",
    CHECKPOINT_PATH: "must be a path like /checkpoints, of letters, digits and `._-`, without a `/` at its end",
}
"""A pattern -> what to say when a name does not match it."""

STUDY_UID_LABEL = f"{GROUP}/study-uid"
"""Label of Jobs and pods: uid of the study. A uid fits into a label's 63 characters, a name may not."""
TRIAL_LABEL = f"{GROUP}/trial"
"""Label of Jobs and pods: the trial's number."""
ATTEMPT_LABEL = f"{GROUP}/attempt"
"""Label of Jobs and pods: the attempt, from 1."""
PARENT_LABEL = f"{GROUP}/parent"
"""Label of Jobs: the number of the trial from whose checkpoint the trial goes on, where there is one."""
STUDY_ANNOTATION = f"{GROUP}/study"
"""Annotation of Jobs and pods: name of the study."""
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
"""Kueue's label of Jobs: the LocalQueue that admits them."""
PRIORITY_LABEL = "kueue.x-k8s.io/priority-class"
"""Kueue's label of Jobs: the WorkloadPriorityClass."""
PARAMETERS_ANNOTATION = f"{GROUP}/parameters"
"""Annotation of Jobs: the parameters as JSON, for people who read the Job, and to tell whether it fits its trial."""

RESUME_ANNOTATION = f"{GROUP}/resume"
"""Annotation of studies: `true` resumes the newest earlier history of the study's name, a uid that study's."""
STORAGE_ANNOTATION = f"{GROUP}/storage"
"""Annotation of studies: the beginning of `status.readToken` in a database that a study shall go on with, although its
status is of another one."""
REPORT_ADDRESS_ANNOTATION = f"{GROUP}/report-address"
"""Annotation of the Lease: base URL of its holder's report endpoint, for the other operators."""


def job_name(study: str, uid: str, trial: int, attempt: int) -> str:
    """Return the deterministic name of the Job of an attempt: posting it twice is answered 409."""
    return f"{study_folder(study, uid)}-{trial}-{attempt}"


def study_folder(study: str, uid: str) -> str:
    """Return what a study's files stand under: a study that is created again under its name gets another one."""
    return f"{study}-{uid.replace('-', '')[:8]}"
