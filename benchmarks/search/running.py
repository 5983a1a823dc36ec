"""Running cells, one after the other or in processes side by side."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice

import optuna

from benchmarks.program import say
from benchmarks.search.cells import PRODUCT, Cell, Result
from benchmarks.search.functions import FUNCTIONS
from benchmarks.search.library import Library
from benchmarks.search.product import product
from benchmarks.search.simulation import Course, simulate

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Each process has a core; libraries that start threads would fight over them."""
_STUDIES_PER_PROCESS = 20
"""A process that opens one storage after the other keeps what the garbage collector was told to leave alone."""
_LONGEST_SECONDS = 600
"""After which a study hangs, as far as anybody can tell; it takes a minute at most."""


def run_cell(cell: Cell) -> Result:
    """Run a study.

    Raises
    ------
    TimeoutError
        It does not end: it hangs.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    begun = time.process_time()
    with warnings.catch_warnings(action="ignore"):  # much is experimental in Optuna, which its users know
        course = asyncio.run(asyncio.wait_for(_run(cell), _LONGEST_SECONDS))
    return Result(
        cell, course.improvements, course.seconds, course.gpu_seconds, course.pruned, time.process_time() - begun
    )


async def _run(cell: Cell) -> Course:
    function = FUNCTIONS[cell.function]
    if cell.side != PRODUCT:
        return await simulate(Library(cell, function), function, cell.seed, cell.reporting)
    async with product(cell, function) as searcher:
        return await simulate(searcher, function, cell.seed, cell.reporting)


def run_cells(cells: Sequence[Cell], jobs: int, seconds: float) -> Iterator[Result]:
    """Run studies in `jobs` processes, none of which begins later than after `seconds`; one that fails is told of."""
    end = time.monotonic() + seconds
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    rest = iter(cells)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, max_tasks_per_child=_STUDIES_PER_PROCESS) as pool:
        running: dict[Future[Result], Cell] = {pool.submit(run_cell, cell): cell for cell in islice(rest, 2 * jobs)}
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            if time.monotonic() < end:
                running |= {pool.submit(run_cell, cell): cell for cell in islice(rest, len(done))}
            for future in done:
                cell, error = running.pop(future), future.exception()
                if error is None:
                    yield future.result()
                else:
                    say(f"no result of {cell}: {error!r}")
