from __future__ import annotations

import re
from pathlib import Path

from tuning_contract import TrialEnvironment

PAGE = (Path(__file__).parents[2] / "docs" / "training-scripts.md").read_text()


def test_the_page_names_every_variable_that_a_container_gets() -> None:
    environment = TrialEnvironment(
        study="s",
        namespace="n",
        trial=0,
        parameters={},
        report_url="u",
        report_token="t",
        report_token_file="f",
        report_ca="c",
        seed=1,
        objective="m",
    )
    documented = set(re.findall(r"`(TUNING_\w+)`", PAGE))
    assert set(environment.variables()) == documented
