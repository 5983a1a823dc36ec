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

from benchmarks.search.cells import PRODUCT, WITHOUT_PRUNER, Cell, Result
from benchmarks.search.functions import FUNCTIONS
from benchmarks.search.library import Library
from benchmarks.search.product import product
from benchmarks.search.simulation import Course, simulate

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Each process has a core; libraries that start threads would fight over them."""


def run_cell(cell: Cell) -> Result:
    """Run a study."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    begun = time.process_time()
    with warnings.catch_warnings(action="ignore"):  # much is experimental in Optuna, which its users know
        course = asyncio.run(_run(cell))
    return Result(
        cell, course.improvements, course.seconds, course.gpu_seconds, course.pruned, time.process_time() - begun
    )


async def _run(cell: Cell) -> Course:
    function, with_curves = FUNCTIONS[cell.function], cell.pruner != WITHOUT_PRUNER
    if cell.side != PRODUCT:
        return await simulate(Library(cell, function), function, cell.seed, with_curves)
    async with product(cell, function) as searcher:
        return await simulate(searcher, function, cell.seed, with_curves)


def run_cells(cells: Sequence[Cell], jobs: int, seconds: float) -> Iterator[Result]:
    """Run studies in `jobs` processes as long as none of them began later than after `seconds`."""
    end = time.monotonic() + seconds
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    rest = iter(cells)
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        running: set[Future[Result]] = {pool.submit(run_cell, cell) for cell in islice(rest, 2 * jobs)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            if time.monotonic() < end:
                running |= {pool.submit(run_cell, cell) for cell in islice(rest, len(done))}
            yield from (future.result() for future in done)
