"""Writes every file that is made from the code, or says with --check which of them is out of date."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

GENERATORS = ("tuning_operator.api.generate", "tuning_operator.reports.openapi", "tuning_operator.metrics.reference")
"""Modules that write their files, or check them with --check; run in the project's root."""


def main() -> int:
    """Run all generators, and fail if one does."""
    root = Path(__file__).resolve().parent.parent
    commands = ([sys.executable, "-m", module, *sys.argv[1:]] for module in GENERATORS)
    return max(subprocess.run(command, cwd=root, check=False).returncode for command in commands)


if __name__ == "__main__":
    sys.exit(main())
