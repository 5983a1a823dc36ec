"""The wire format of a parameter that a trial's code names while it runs: one JSON object per POST, and its answer.

    {"name": "learning_rate", "type": "Float", "low": 1e-05, "high": 0.1, "scale": "Log"}
    {"name": "optimizer", "type": "Categorical", "choices": ["adam", "sgd"]}

    {"value": 0.0031}

The fields are those of a study's `parameters`, and the operator checks them by the same rules
(`tuning_operator/api/named_parameters.py`).
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

from tuning_contract.environment import ParameterValue
from tuning_contract.reports import WireError, parse_json, to_json

MAX_NAMED_PARAMETERS = 200
"""Most parameters that one trial's code may name."""

PARAMETER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./@:\[\]-]{0,127}")
"""What code may call a parameter; unlike one of `parameters` it becomes no variable of the environment."""


@dataclass(frozen=True)
class ParameterRequest:
    """A parameter as code asks for it: a Float or Int with its range, or a Categorical with its choices."""

    name: str
    type: str
    low: float | None = None
    high: float | None = None
    step: float | None = None
    scale: str | None = None
    """Linear (None too) or Log."""
    choices: tuple[ParameterValue, ...] | None = None

    def to_json(self) -> bytes:
        """Return the body.

        Raises
        ------
        ValueError
            A number of it is not finite.
        """
        return to_json({name: value for name, value in asdict(self).items() if value is not None}).encode()


@dataclass(frozen=True)
class ParameterReply:
    """The answer, given after the value is durable: the same for each request of the trial."""

    value: ParameterValue

    def to_json(self) -> bytes:
        return to_json({"value": self.value}).encode()

    @classmethod
    def from_json(cls, body: bytes) -> ParameterReply:
        document = parse_json(body)
        value = document.get("value") if isinstance(document, dict) else None
        if not isinstance(value, (str, int, float)):
            raise WireError("the reply has no `value` that is a string, a number or a boolean")
        return cls(value)
