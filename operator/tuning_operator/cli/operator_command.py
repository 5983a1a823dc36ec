"""`tuning operator`: the operator itself."""

from __future__ import annotations


def operator() -> None:
    """Run the operator, as its image does.

    Its settings are the variables TUNING_OPERATOR_*.
    """
    import asyncio

    from tuning_operator.handlers.main import run_operator
    from tuning_operator.settings import Settings

    asyncio.run(run_operator(Settings.from_environment()))
