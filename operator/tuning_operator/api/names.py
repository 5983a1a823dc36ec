"""The group, the labels and annotations, and the names of Jobs."""

from __future__ import annotations

GROUP = "tuning-operator.io"
VERSION = "v1alpha1"
KIND = "TuningStudy"
PLURAL = "tuningstudies"
SHORT_NAME = "ts"
API_VERSION = f"{GROUP}/{VERSION}"

STUDY_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
PARAMETER_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
METRIC_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_./@:-]{0,127}$"

IN_WORDS = {
    STUDY_NAME: "must consist of lower-case letters, digits and `-`, without dots",
    PARAMETER_NAME: "must consist of letters, digits and `_`, and not begin with a digit",
    METRIC_NAME: "must consist of letters, digits and `_./@:-`, and begin with a letter, a digit or `_`",
}
"""A pattern -> what to say when a name does not match it."""

STUDY_UID_LABEL = f"{GROUP}/study-uid"
"""Label of Jobs and pods: uid of the study. A uid fits into a label's 63 characters, a name may not."""
TRIAL_LABEL = f"{GROUP}/trial"
"""Label of Jobs and pods: the trial's number."""
ATTEMPT_LABEL = f"{GROUP}/attempt"
"""Label of Jobs and pods: the attempt, from 1."""
STUDY_ANNOTATION = f"{GROUP}/study"
"""Annotation of Jobs and pods: name of the study."""
PARAMETERS_ANNOTATION = f"{GROUP}/parameters"
"""Annotation of Jobs: the parameters as JSON, for people who read the Job."""

REPORT_ADDRESS_ANNOTATION = f"{GROUP}/report-address"
"""Annotation of the Lease: base URL of its holder's report endpoint, for the other operators."""


def job_name(study: str, uid: str, trial: int, attempt: int) -> str:
    """Return the deterministic name of the Job of an attempt: posting it twice is answered 409."""
    return f"{study}-{uid.replace('-', '')[:8]}-{trial}-{attempt}"
