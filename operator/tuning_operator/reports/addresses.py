"""Where an attempt reports to, and with which credential."""

from __future__ import annotations

from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.reports.credentials import read_token, report_token
from tuning_operator.reports.report_endpoint import report_url


class ReportAddresses:
    """Implements `Addresses` for the endpoint at a base URL; `key` is what the credentials are derived from."""

    def __init__(self, base_url: str, key: bytes) -> None:
        self._base_url = base_url
        self._key = key

    def report_url(self, study: StudyKey, trial: int, attempt: int) -> str:
        """Return where the attempt reports to."""
        return report_url(self._base_url, study.uid, trial, attempt)

    def report_token(self, study: StudyKey, trial: int, attempt: int) -> str:
        """Return the attempt's credential."""
        return report_token(self._key, study.uid, trial, attempt)

    def read_token(self, study: StudyKey) -> str:
        """Return the read API's credential."""
        return read_token(self._key, study.uid)
