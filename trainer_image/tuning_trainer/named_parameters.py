"""Values of parameters that the script names while it runs: the operator chooses them."""

from __future__ import annotations

import logging
import threading
import time
from typing import Protocol

from tuning_contract import ParameterRequest
from tuning_contract.environment import ParameterValue
from tuning_trainer.backoff import Backoff
from tuning_trainer.endpoint import EndpointUnavailable, ParameterEndpoint, RequestRefused
from tuning_trainer.errors import ParameterError

_log = logging.getLogger(__name__)


class NamedParameters(Protocol):
    """Who says which value a parameter has."""

    def ask(self, request: ParameterRequest) -> ParameterValue:
        """Return the value, the same whenever the trial asks; wait for it as long as that takes.

        Raises
        ------
        ParameterError
            There is no such value; the message says what to change.
        """


class AskedParameters:
    """Asks the operator, again and again while it restarts: without the value the training can't go on."""

    def __init__(self, endpoint: ParameterEndpoint, backoff: Backoff | None = None) -> None:
        self._endpoint = endpoint
        self._backoff = backoff or Backoff()
        self._one_at_a_time = threading.Lock()
        self._warned: set[str] = set()

    def ask(self, request: ParameterRequest) -> ParameterValue:
        try:
            body = request.to_json()
        except ValueError:
            raise ParameterError(f"the range or a choice of parameter {request.name!r} is not finite") from None
        with self._one_at_a_time:
            for delay in self._backoff.delays():
                try:
                    return self._endpoint.post(body).value
                except RequestRefused as error:
                    raise ParameterError(f"the study gives parameter {request.name!r} no value: {error}") from None
                except EndpointUnavailable as error:
                    self._warn(str(error))
                    time.sleep(delay if error.retry_after is None else error.retry_after)
        raise AssertionError("a backoff never ends")

    def _warn(self, detail: str) -> None:
        """Log each sentence once: an outage of hours is one line."""
        if detail not in self._warned:
            self._warned.add(detail)
            _log.warning("The operator gives no parameters now, they will be asked for again: %s", detail)
