"""The search space of programs that ask a sampler: what a network's training has."""

from __future__ import annotations

from typing import Any

PARAMETERS: list[dict[str, Any]] = [
    *({"name": f"units{i}", "type": "Int", "low": 1, "high": 512} for i in range(3)),
    *({"name": f"momentum{i}", "type": "Float", "low": 0, "high": 1} for i in range(2)),
    *({"name": f"rate{i}", "type": "Float", "low": 1e-5, "high": 1, "scale": "Log"} for i in range(3)),
    *({"name": f"kind{i}", "type": "Categorical", "choices": ["a", "b", "c", "d"]} for i in range(2)),
]
"""Ten parameters of all kinds."""
