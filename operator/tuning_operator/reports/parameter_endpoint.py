"""`POST …/attempts/{attempt}/parameters`: a parameter that a trial's code names while it runs, and its value.

An answer means that the value is durable: each request of the trial gets the same.
"""

from __future__ import annotations

from aiohttp import web

from tuning_contract import ParameterReply
from tuning_operator.api.named_parameters import parse_named_parameter
from tuning_operator.errors import ParameterRefused, StudyGone
from tuning_operator.reports.attempt_address import AttemptAddress
from tuning_operator.reports.reception import ATTEMPT_ROUTE, Reception, refused_by_history
from tuning_operator.reports.refusals import Reason, Refused

ROUTE = f"{ATTEMPT_ROUTE}/parameters"


class ParameterEndpoint:
    """Gives values of parameters to the trials of all studies that this process has open."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception

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
        except StudyGone as error:
            raise _gone() from error
        return ParameterReply(value).to_json()


def _gone() -> Refused:
    return Refused(404, Reason.NOT_FOUND, "the study was deleted")
