from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TRAINER_IMAGE = Path(__file__).parents[2] / "trainer_image"


def test_contract_and_sdk_import_with_the_standard_library_alone() -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(TRAINER_IMAGE)!r})\n"
        "import tuning_contract, tuning_trainer\n"
        "import tuning_trainer.command_line, tuning_trainer.lr_range, tuning_trainer.testing\n"
        "print(tuning_trainer.current_trial({'a': 1}).parameters)"
    )
    # -I -S: no site-packages, so an import of anything third-party fails.
    result = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "{'a': 1}\n", "")
