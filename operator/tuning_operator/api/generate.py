"""Writes the files that are made from the models: `python -m tuning_operator.api.generate [--check] [ROOT]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tuning_operator.api.crd import custom_resource_definition
from tuning_operator.api.reference import with_tables

CRD_FILES = ("crds/tuningstudies.yaml", "charts/tuning-operator/files/crds/tuningstudies.yaml")
"""For `kubectl apply`, and the copy that the chart's template wraps."""

REFERENCE_FILE = "docs/reference/tuningstudy.md"
"""Its tables are generated, the text around them is written by hand."""

_HEADER = "# Generated from the models in operator/tuning_operator/api; change those and run `make generate`.\n"


def generated_files(root: Path) -> dict[Path, str]:
    """Return the text that each generated file should have, by its path."""
    crd = _HEADER + yaml.dump(
        custom_resource_definition(), Dumper=_WithoutAliases, sort_keys=False, width=120, allow_unicode=True
    )
    page = root / REFERENCE_FILE
    return {**{root / path: crd for path in CRD_FILES}, page: with_tables(page.read_text())}


def stale_files(root: Path) -> list[Path]:
    """Return the files whose text is not what the models give, or that are missing."""
    return [path for path, text in generated_files(root).items() if not path.is_file() or path.read_text() != text]


def write_files(root: Path) -> None:
    """Write every generated file."""
    for path, text in generated_files(root).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the files; return the exit status."""
    parser = argparse.ArgumentParser(description="Write the files that are made from the resource's models.")
    parser.add_argument("root", nargs="?", type=Path, default=Path(), help="the project's folder (default: this one)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a file is stale")
    options = parser.parse_args(arguments)
    if not options.check:
        write_files(options.root)
        return 0
    stale = stale_files(options.root)
    for path in stale:
        sys.stderr.write(f"{path} is not what the models give; run `make generate` and commit it\n")
    return 1 if stale else 0


class _WithoutAliases(yaml.SafeDumper):
    """Aliases save a few lines, but people and other tools stumble over them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


if __name__ == "__main__":
    sys.exit(main())
