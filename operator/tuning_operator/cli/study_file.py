"""From a file to the TuningStudy document in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuning_operator.api.names import KIND
from tuning_operator.cli.yaml_documents import YamlError, read_documents
from tuning_operator.errors import InvalidStudy

SUFFIXES = (".yaml", ".yml", ".json")
"""Endings that make an argument a file of this machine; any other one is the name of a study on the cluster."""


def is_file_argument(argument: str) -> bool:
    """Return whether an argument means a file."""
    return argument.lower().endswith(SUFFIXES)


def read_study_document(path: Path) -> Mapping[str, Any]:
    """Return the only TuningStudy of a file, unchecked; objects of other kinds are passed over.

    Raises
    ------
    InvalidStudy
        The file can't be read, or holds no study or several.
    """
    documents = _documents(path)
    studies = [each for each in documents if isinstance(each, Mapping) and each.get("kind") == KIND]
    if len(studies) == 1:
        return studies[0]
    if studies:
        raise InvalidStudy([f"{path} holds {len(studies)} studies; split it, one study a file"])
    if len(documents) == 1 and isinstance(documents[0], Mapping):
        return documents[0]  # what it is instead is for the validation to say
    raise InvalidStudy([f"{path} holds no {KIND}"])


def _documents(path: Path) -> list[Any]:
    try:
        return read_documents(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidStudy([f"there is no file {path}"]) from None
    except OSError as error:
        raise InvalidStudy([f"{path} can't be read: {error.strerror}"]) from error
    except UnicodeDecodeError:
        raise InvalidStudy([f"{path} is not UTF-8 text"]) from None
    except YamlError as error:
        raise InvalidStudy([f"{path} is not valid YAML: {error}"]) from None
