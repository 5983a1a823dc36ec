"""The ready-made trainer: `python -m tuning_trainer --task=TASK`."""

from __future__ import annotations

import sys

from tuning_trainer.command_line import main

if __name__ == "__main__":
    main(sys.argv[1:])
