"""Reading a study's file: what is refused, and in which words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.golden_files import GOLDEN
from tuning_operator.api.yaml_files import MAX_BYTES, load_study
from tuning_operator.errors import InvalidStudy

STUDY = (GOLDEN / "valid" / "minimal.yaml").read_text()


def _refusal(path: Path) -> str:
    with pytest.raises(InvalidStudy) as refusal:
        load_study(path)
    (problem,) = refusal.value.problems
    assert problem.startswith(f"{path}:")
    assert problem.isprintable()
    return problem.removeprefix(f"{path}:")


def _refusal_of(tmp_path: Path, text: str | bytes) -> str:
    path = tmp_path / "study.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return _refusal(path)


def test_other_objects_of_the_file_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(f"---\n# nothing\n---\nkind: ConfigMap\n---\n{STUDY}\n---\n- 5\n...\n")
    assert load_study(path)["metadata"] == {"name": "minimal"}


def test_a_json_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    path.write_text('\ufeff{"kind": "TuningStudy",\n    "text": "\\ud83d\\ude00 a\\/b", "n": 1e-5, "whole": 1.0}')
    assert load_study(path) == {"kind": "TuningStudy", "text": "😀 a/b", "n": 1e-5, "whole": 1}


def test_several_studies_are_named(tmp_path: Path) -> None:
    refusal = _refusal_of(tmp_path, f"{STUDY}\n---\n{STUDY.replace('minimal', 'other')}\n---\nkind: TuningStudy\n")
    assert refusal == (
        " the file has 3 studies (minimal, other, one without a name); "
        "keep one, and put the others into files of their own"
    )


def test_a_file_without_a_study_says_what_it_has(tmp_path: Path) -> None:
    refusal = _refusal_of(tmp_path, "kind: Job\n---\nkind: List\n---\njust text\n")
    assert refusal.startswith(" the file has no TuningStudy, but Job, List, something without a `kind`; write")


@pytest.mark.parametrize("text", ["", "# a comment\n", "---\n---\n"])
def test_an_empty_file_has_nothing(tmp_path: Path, text: str) -> None:
    assert _refusal_of(tmp_path, text).startswith(" the file has no TuningStudy, but nothing; write")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\nb: 2\na: 3\n", "3: the key 'a' stands twice; remove one"),
        ("a: [1,\nb: 2\n", "3: this is no YAML: expected ',' or ']'"),
        ("a: b\n\tc: d\n", "2: this is no YAML: found character '\\t' that cannot start any token"),
        ("a: 1\nb: 'x\n", "3: this is no YAML: found unexpected end of stream"),
        ("a: *missing\n", "1: this is no YAML: found undefined alias 'missing'"),
        ("a: .inf\n", "1: .inf is no number that JSON has; write a finite one"),
        ("a:\n  - .nan\n", "2: .nan is no number that JSON has; write a finite one"),
        ("? [a]\n: 1\n", "1: a key must be a string, not a list or a map"),
        ("~: 1\n", "1: a key must not be null"),
        ("1.5: 1\n", "1: the key 1.5 is a number; put it into quotes"),
        ("a: !python/object:os.system x\n", "1: the tag !python/object:os.system does not fit 'x'; remove it"),
        (
            "a: !!python/tuple [1]\n",
            "1: the tag tag:yaml.org,2002:python/tuple has no meaning in Kubernetes; remove it",
        ),
        ("a: !!int x\n", "1: the tag !!int does not fit 'x'; remove it"),
        ("a: !!binary /w==\n", "1: this !!binary is not base64 of UTF-8 text; write the text itself"),
        ('a: "\\ud800"\n', "1: an escape stands for half a character; write the character itself"),
        ("a: 1\nb: \x07\n", "2: the character '\\x07' is not allowed in YAML"),
        ("a: &a [*a]\n", "1: an anchor contains itself"),
        ("a: &a {<<: *a}\n", "1: an anchor contains itself"),
        ("<<: 5\n", "1: `<<` needs a map, or a list of maps"),
        ("[" * 100_000, "1: lists and maps are nested deeper than 100 levels"),
        ("- " * 10_000 + "x", "1: lists and maps are nested deeper than 100 levels"),
        ("{a: " * 10_000, "1: lists and maps are nested deeper than 100 levels"),
    ],
)
def test_what_kubectl_could_not_read_is_refused_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    assert _refusal_of(tmp_path, text).startswith(sentence)


def test_a_few_lines_cannot_stand_for_billions_of_values(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]" for n in range(30)]
    assert "the file stands for more than 100,000 values" in _refusal_of(tmp_path, "\n".join(lines))


def test_what_is_no_readable_file_is_said(tmp_path: Path) -> None:
    assert _refusal(tmp_path / "missing.yaml") == " there is no such file; check the path"
    assert _refusal(tmp_path) == " this is a directory; name the study's file in it"
    with pytest.raises(InvalidStudy, match="…: the file can't be read: File name too long"):
        load_study("x" * 300)
    with pytest.raises(InvalidStudy, match="the file can't be read: embedded null byte"):
        load_study("a\0b")


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Root may read every file: be nobody for a while."""
    user = os.geteuid()
    os.seteuid(65534 if user == 0 else user)
    yield
    os.seteuid(user)


def test_a_file_without_permission_is_said(tmp_path: Path, unprivileged: None) -> None:
    path = tmp_path / "secret.yaml"
    try:
        path.write_text(STUDY)
        path.chmod(0)
    except PermissionError:
        pass  # root's temporary folder is closed to nobody, which is the case at hand
    assert _refusal(path) == " you have no permission to read this file; check its mode and owner"


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    assert _refusal_of(tmp_path, b" " * (MAX_BYTES + 1)) == " the file is larger than 1024 KiB; no study needs so much"


def test_a_binary_file_is_said(tmp_path: Path) -> None:
    assert _refusal_of(tmp_path, b"kind: x\n\xff\xfe") == "2: this is no text in UTF-8; save the file as UTF-8"
    assert "is not allowed in YAML" in _refusal_of(tmp_path, b"\x7fELF\x00\x01")
