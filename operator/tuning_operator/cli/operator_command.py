"""`tuning operator`: the operator itself."""

from __future__ import annotations


def operator() -> None:
    """Run the operator, as its image does; the variables TUNING_OPERATOR_* are its settings."""
    import asyncio

    from tuning_operator.handlers.main import run_operator
    from tuning_operator.settings import Settings

    asyncio.run(run_operator(Settings.from_environment()))
