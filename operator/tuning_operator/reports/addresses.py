"""Where an attempt reports to, and with which credential."""

from __future__ import annotations

from collections.abc import Callable

from tuning_operator.decisions.report_access import ReportAccess
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.reports.credentials import read_token, report_token
from tuning_operator.reports.report_endpoint import report_url


class ReportAddresses:
    """Implements `Addresses` for the endpoint at a base URL.

    Parameters
    ----------
    base_url
        Below which the endpoint answers.
    key
        What credentials are derived from.
    pod_tokens
        Whether a pod proves with a ServiceAccount token what it is; the base URL is the token's audience then.
    ca
        Returns the certificates (PEM) that pods check the endpoint's own against, as they are now; None: none.
    """

    def __init__(
        self, base_url: str, key: bytes, *, pod_tokens: bool = False, ca: Callable[[], str | None] = lambda: None
    ) -> None:
        self._base_url = base_url
        self._key = key
        self._audience = base_url if pod_tokens else None
        self._ca = ca

    def report_access(self, study: StudyKey, trial: int, attempt: int) -> ReportAccess:
        """Return how the attempt's pod reports."""
        url = report_url(self._base_url, study.uid, trial, attempt)
        token = None if self._audience else report_token(self._key, study.uid, trial, attempt)
        return ReportAccess(url, token, self._audience, self._ca())

    def read_token(self, study: StudyKey) -> str:
        """Return the read API's credential."""
        return read_token(self._key, study.uid)
