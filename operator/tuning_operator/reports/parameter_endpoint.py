"""`POST …/attempts/{attempt}/parameters`: a parameter that a trial's code names while it runs, and its value.

An answer means that the value is durable: each request of the trial gets the same.
"""

from __future__ import annotations

import logging

from aiohttp import web

from tuning_contract import ParameterReply
from tuning_operator.api.named_parameters import parse_named_parameter
from tuning_operator.errors import ParameterRefused, SearchFailed, StudyGone
from tuning_operator.reports.attempt_address import AttemptAddress
from tuning_operator.reports.reception import ATTEMPT_ROUTE, Reception, Wake, refused_by_history
from tuning_operator.reports.refusals import Reason, Refused

_log = logging.getLogger(__name__)

ROUTE = f"{ATTEMPT_ROUTE}/parameters"

_RETRY_SEARCH = 10.0
"""Seconds after which a trial asks again for what the sampler could not choose: it may be mended meanwhile."""


class ParameterEndpoint:
    """Gives values of parameters to the trials of all studies that this process has open."""

    def __init__(self, reception: Reception, wake: Wake) -> None:
        self._reception = reception
        self._wake = wake

    async def answer(self, request: web.Request) -> web.Response:
        """Serve one POST."""
        return await self._reception.serve(request, self._choose)

    async def _choose(self, attempt: AttemptAddress, body: bytes) -> bytes:
        parameter = parse_named_parameter(body)
        repository = self._reception.repository(attempt)
        if repository is None:
            raise _gone()
        try:
            with refused_by_history("the parameter"):
                value = await repository.choose_parameter(attempt.trial, attempt.attempt, parameter)
        except ParameterRefused as error:
            raise Refused(409, Reason.NOT_CHOSEN, str(error)) from error
        except SearchFailed as error:
            study = {"namespace": repository.key.namespace, "study": repository.key.name, "trial": attempt.trial}
            _log.warning("%s", error, exc_info=True, extra=study)
            self._wake(attempt.uid)  # its status says so
            raise Refused(503, Reason.INTERNAL, str(error), _RETRY_SEARCH) from error
        except StudyGone as error:
            raise _gone() from error
        return ParameterReply(value).to_json()


def _gone() -> Refused:
    return Refused(404, Reason.NOT_FOUND, "the study was deleted")
