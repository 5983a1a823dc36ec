from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from tests.trainer.fake_operator import Answer, FakeOperator, free_port
from tests.trainer.scripts import Script, finished
from tuning_contract import ExitCode, FinalState, TrialEnd
from tuning_contract.reports import MAX_MESSAGE_LENGTH
from tuning_trainer.process_end import failure_message

OPEN = """\
import os, signal, sys, threading, time
import tuning_trainer as tuning

trial = tuning.current_trial(flush_seconds=30)
trial.report({"loss": 0.5}, step=1)
"""
COMPLETE = TrialEnd(FinalState.COMPLETE)
PRUNED = TrialEnd(FinalState.PRUNED)


@pytest.mark.parametrize(
    ("body", "status", "end"),
    [
        ("", 0, COMPLETE),
        ("def train(): pass\nif __name__ == '__main__':\n    train()", 0, COMPLETE),
        ("try:\n    1 / 0\nexcept ArithmeticError:\n    pass", 0, COMPLETE),
        ("try:\n    sys.exit(3)\nexcept SystemExit:\n    pass", 0, COMPLETE),
        ("threading.Thread(target=time.sleep, args=[0.1]).start()", 0, COMPLETE),
        ("trial.complete()\nsys.exit(0)", 0, COMPLETE),
        ("trial.complete()\nraise OSError('while cleaning up')", 1, COMPLETE),
        ("raise ValueError('the images are gone')", 1, TrialEnd(FinalState.FAILED, "ValueError: the images are gone")),
        ("raise tuning.TrialFailed('too few images')", 1, TrialEnd(FinalState.FAILED, "too few images")),
        ("raise tuning.TrialPruned()", 0, PRUNED),
        ("import optuna\nraise optuna.TrialPruned()", 0, PRUNED),
        ("trial.prune()", 0, PRUNED),
        ("sys.exit(0)", 0, None),
        ("sys.exit(3)", 3, None),
        ("raise SystemExit('no data')", 1, None),
        ("def main():\n    raise SystemExit(3)\nmain()", 3, None),
        ("raise KeyboardInterrupt", -signal.SIGINT, None),
        ("os._exit(4)", 4, None),
        ("if os.fork() == 0:\n    sys.exit(0)\nassert os.wait()[1] == 0\nsys.exit(0)", 0, None),
        (
            "child = os.fork()\nif child == 0:\n    time.sleep(60)\n"
            "time.sleep(0.1)\nos.kill(child, signal.SIGTERM)\nassert os.wait()[1] == signal.SIGTERM",
            0,
            COMPLETE,
        ),
    ],
)
def test_how_a_process_ends_is_told(
    operator: FakeOperator, script: Script, body: str, status: int, end: TrialEnd | None
) -> None:
    result = script.run(OPEN + body)
    assert result.returncode == status, result.stderr
    assert operator.ends == ([] if end is None else [end])
    assert operator.steps == ([1] if "os._exit" not in body else operator.steps)


def test_an_uncaught_exception_is_still_shown_and_pruning_is_not(script: Script) -> None:
    assert "ValueError: boom" in script.run(OPEN + "raise ValueError('boom')").stderr
    assert script.run(OPEN + "raise tuning.TrialPruned()").stderr == ""


def test_a_failure_that_the_script_explains_is_a_line_without_a_traceback(script: Script) -> None:
    shown = script.run(OPEN + "raise tuning.TrialFailed('too few images')").stderr
    assert shown.splitlines()[-1] == "the trial failed: too few images"
    assert "Traceback" not in shown


def test_the_scripts_own_exception_hook_is_called(script: Script, operator: FakeOperator) -> None:
    own = "import sys\nsys.excepthook = lambda *exception: print('own hook')\n"
    assert script.run(own + OPEN + "raise ValueError('boom')").stdout == "own hook\n"
    assert operator.ends == [TrialEnd(FinalState.FAILED, "ValueError: boom")]


def test_cleaning_up_happens_when_a_trial_is_pruned(script: Script) -> None:
    result = script.run(OPEN + "try:\n    trial.prune()\nfinally:\n    print('saved')")
    assert (result.returncode, result.stdout) == (0, "saved\n")


def test_undelivered_reports_end_the_process_with_75_and_a_sentence(script: Script) -> None:
    nobody = replace(script, url=f"http://127.0.0.1:{free_port()}/")
    result = nobody.run(OPEN.replace("flush_seconds=30", "flush_seconds=0.3") + "print('trained')")
    assert result.returncode == ExitCode.REPORTS_LOST
    assert "1 of this trial's reports could not be delivered" in result.stderr
    assert result.stdout == "trained\n"


def test_refused_reports_end_the_process_with_75_and_the_operators_sentence(
    operator: FakeOperator, script: Script
) -> None:
    operator.answers.append(Answer(404, b'{"error": "there is no trial 3"}'))
    result = script.run(OPEN)
    assert result.returncode == ExitCode.REPORTS_LOST
    assert "there is no trial 3" in result.stderr


def test_a_failed_script_keeps_its_status_whatever_became_of_its_reports(script: Script) -> None:
    nobody = replace(script, url=f"http://127.0.0.1:{free_port()}/")
    result = nobody.run(OPEN.replace("flush_seconds=30", "flush_seconds=0.1") + "raise ValueError('boom')")
    assert result.returncode == 1


def test_sigterm_delivers_the_reports_and_says_nothing_of_an_end(operator: FakeOperator, script: Script) -> None:
    operator.open_gate.clear()
    text = OPEN + "try:\n    print('training', flush=True)\n    time.sleep(60)\nfinally:\n    print('saved')"
    with script.start(text) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "training\n"
        process.terminate()
        operator.open_gate.set()
        result = finished(process)
    assert (result.returncode, result.stdout) == (128 + signal.SIGTERM, "saved\n")
    assert (operator.steps, operator.ends) == ([1], [])


def test_sigterm_does_not_interrupt_the_flush_at_exit(operator: FakeOperator, script: Script) -> None:
    operator.open_gate.clear()
    text = "import atexit\n" + OPEN + "atexit.register(lambda: print('exiting', flush=True))"
    with script.start(text) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "exiting\n"
        process.send_signal(0)  # still there: it waits for the operator
        process.terminate()
        operator.open_gate.set()
        finished(process)
    assert operator.steps == [1]


def test_the_scripts_own_sigterm_handler_stays(operator: FakeOperator, script: Script) -> None:
    own = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: print('own handler'))\n"
    result = script.run(own + OPEN + "os.kill(os.getpid(), signal.SIGTERM)")
    assert (result.returncode, result.stdout, operator.ends) == (0, "own handler\n", [COMPLETE])


def test_a_failure_message_is_cut_and_can_be_encoded() -> None:
    message = failure_message(RuntimeError("\ud800" + "x" * 5000))
    assert message.startswith("RuntimeError: ?xxx")
    assert len(message.encode()) == MAX_MESSAGE_LENGTH
