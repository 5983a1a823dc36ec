"""A study's YAML file -> its document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuning_operator.api.names import API_VERSION, KIND
from tuning_operator.api.sentences import one_line
from tuning_operator.api.yaml_documents import UnreadableYaml, documents
from tuning_operator.errors import InvalidStudy

MAX_BYTES = 1024 * 1024
"""The largest file that is read. The API server's store takes objects of 1.5 MB."""


def load_study(path: Path | str) -> dict[str, Any]:
    """Return the document of a file's only TuningStudy, as kubectl would send it.

    Objects of other kinds are passed over. The study is not validated: that is for `parse_study`.

    Raises
    ------
    InvalidStudy
        The file can't be read, is no YAML, or has no or several studies; the sentence names the file and the line.
    """
    objects = [document for document in _load(Path(path)) if document is not None]
    studies = [each for each in objects if isinstance(each, dict) and each.get("kind") == KIND]
    if len(studies) == 1:
        return studies[0]
    if studies:
        raise InvalidStudy(
            [
                f"{path}: the file has {len(studies)} studies ({_listed([_name(study) for study in studies])}); "
                "keep one, and put the others into files of their own"
            ]
        )
    found = _listed([_kind(each) for each in objects]) if objects else "nothing"
    raise InvalidStudy(
        [f"{path}: the file has no {KIND}, but {found}; write `apiVersion: {API_VERSION}`, `kind: {KIND}`"]
    )


def _load(path: Path) -> list[Any]:
    text = _read(path)
    try:
        return list(documents(text))
    except UnreadableYaml as error:
        raise InvalidStudy([f"{path}:{error.line}: {error}"]) from None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InvalidStudy([f"{path}: there is no such file; check the path"]) from None
    except IsADirectoryError:
        raise InvalidStudy([f"{path}: this is a directory; name the study's file in it"]) from None
    except PermissionError:
        raise InvalidStudy([f"{path}: you have no permission to read this file; check its mode and owner"]) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidStudy([f"{one_line(str(path))}: the file can't be read: {reason}"]) from None
    if len(content) > MAX_BYTES:
        raise InvalidStudy([f"{path}: the file is larger than {MAX_BYTES // 1024} KiB; no study needs so much"])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidStudy([f"{path}:{line}: this is no text in UTF-8; save the file as UTF-8"]) from None


def _name(study: dict[str, Any]) -> str:
    metadata = study.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else "one without a name"


def _kind(document: Any) -> str:
    kind = document.get("kind") if isinstance(document, dict) else None
    return kind if isinstance(kind, str) else "something without a `kind`"


def _listed(words: list[str]) -> str:
    shortened = [one_line(word) for word in words[:10]]
    return ", ".join([*shortened, *(["…"] if len(words) > 10 else [])])
