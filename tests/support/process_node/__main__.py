"""The node's process; see `handle` for who starts it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

import yaml

from .api import ApiServer
from .containers import Simulation
from .node import Node
from .pod_runner import NodeOptions


def main() -> None:
    """Parses the command line and runs until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", type=_parsed, required=True)
    parser.add_argument("--name", default="process-node")
    parser.add_argument("--work-directory", type=Path, required=True)
    parser.add_argument("--capacity", type=json.loads, required=True, help="JSON: resource -> quantity")
    parser.add_argument("--image-commands", type=json.loads, default={}, help="JSON: image -> command")
    parser.add_argument("--environment", type=json.loads, default={}, help="JSON: variables of every process")
    parser.add_argument("--simulation", type=_imported, help="module:function that stands for the pods' commands")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(_run(parser.parse_args()))


async def _run(arguments: argparse.Namespace) -> None:
    task = asyncio.current_task()
    assert task is not None
    for sent in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sent, task.cancel)
    options = NodeOptions(
        work_directory=arguments.work_directory / "pods",
        base_environment={**_minimal_environment(), **arguments.environment},
        image_commands=arguments.image_commands,
        simulation=arguments.simulation,
    )
    async with ApiServer.connect(arguments.kubeconfig) as api:
        await Node(api, arguments.name, options).run(arguments.capacity, arguments.work_directory / "pki")


def _minimal_environment() -> dict[str, str]:
    """As in an image: a path and a locale; one thread a process, since many pods share this machine."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {"PATH": path, "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}


def _parsed(kubeconfig: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(Path(kubeconfig).read_text())
    return config


def _imported(reference: str) -> Simulation:
    module, _, name = reference.partition(":")
    simulation: Simulation = getattr(importlib.import_module(module), name)
    return simulation


if __name__ == "__main__":
    main()
