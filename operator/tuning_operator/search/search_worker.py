"""The search process: asks the samplers that must not share the operator's process. Started as a module of its own.

It gets a study once, then each call's news, and answers with suggestions. It ends when the operator does, for its input
ends then. Nothing imports it: what is started as a module must not be another's too.
"""

from __future__ import annotations

import os
import pickle
import sys
from typing import BinaryIO

import optuna

from tuning_operator.search.asking import Asking
from tuning_operator.search.search_calls import Answer, answer

_NICENESS = 5
"""Reports come before suggestions."""


def serve(calls: BinaryIO, answers: BinaryIO) -> None:
    """Answer one call after the other until there are no more."""
    studies: dict[int, Asking] = {}
    while True:
        try:
            call = pickle.load(calls)
        except EOFError:
            return
        answers.write(_pickled(answer(call, studies)))
        answers.flush()


def _pickled(result: Answer) -> bytes:
    try:
        return pickle.dumps(result)
    except Exception as error:  # noqa: BLE001 - what a library makes may hold anything
        return pickle.dumps(Answer(error=RuntimeError(str(result.error or error)), stack=result.stack))


def main() -> None:
    """Serve on the standard input and output; what a library prints goes to the standard error."""
    os.nice(_NICENESS)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        serve(sys.stdin.buffer, answers)
    except BrokenPipeError:  # the operator ended; what is left of the answer must go somewhere before this process ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), answers.fileno())


if __name__ == "__main__":
    main()
