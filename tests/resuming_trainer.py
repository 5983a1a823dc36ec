"""A training script that saves each step and goes on from what an earlier attempt saved."""

from __future__ import annotations

_SCRIPT = """
import os, pathlib, sys, time
import tuning_trainer as tuning

os.chdir("/")
trial = tuning.current_trial()
saved = trial.checkpoint_dir / "steps"
done = int(saved.read_text()) if saved.exists() else 0
for step in range(done + 1, {steps} + 1):
    trial.report({{"score": trial.parameters["x"]}}, step=step)
    trial.flush()
    saved.write_text(str(step))
    print("step", step, "resumes" if trial.resume_from else "starts", flush=True)
    while step == {stop} and {waits}:
        time.sleep(0.02)
"""


def resuming_trainer(steps: int, stop: int, waits: str) -> str:
    """Return its text: it trains for so many steps, and after the step `stop` waits while the expression holds."""
    return _SCRIPT.format(steps=steps, stop=stop, waits=waits)
