"""What is taken from a page, and when a command did as it says."""

from __future__ import annotations

from tests.docs.page import Command, Deed, File, steps

PAGE = """
# Title

```yaml
# study.yaml
kind: TuningStudy
```

```yaml
kind: NotWritten
```

Some `sh` in the text, and

```sh
# a remark
kubectl apply -f study.yaml
# → tuningstudy.tuning-operator.io/x created
kubectl get ts x \\
  -o wide
# → Running   1/3
# → x … Running
tuning stop x 7
# fails → no trial 7
```

<!-- a remark -->
<!-- test: take the database away -->

```console
$ rm -rf /
```
"""


def test_files_and_commands_are_taken_in_order_and_other_blocks_are_left_alone() -> None:
    file, apply, get, stop, deed = steps(PAGE)
    assert file == File("study.yaml", "# study.yaml\nkind: TuningStudy\n")
    assert apply == Command("kubectl apply -f study.yaml", expected=("tuningstudy.tuning-operator.io/x created",))
    assert get == Command("kubectl get ts x    -o wide", expected=("Running   1/3", "x … Running"))
    assert stop == Command("tuning stop x 7", fails=True, expected=("no trial 7",))
    assert deed == Deed("take the database away")


def test_white_space_counts_as_one_blank_and_dots_as_anything() -> None:
    command = Command("true", expected=("a b", "x…z", "1.5"))
    assert command.missing("a \n b  x\nyy z 1.5") == []
    assert command.missing("ab xz 1x5") == ["a b", "1.5"]


def test_only_what_looks_may_be_repeated() -> None:
    looking = ["kubectl get ts", "kubectl -n team describe ts x", "tuning status x", "curl http://127.0.0.1"]
    acting = ["kubectl delete ts x", "tuning stop x", "kubectl apply -f get.yaml", "kubectl get-it"]
    assert [Command(text).only_looks for text in looking + acting] == [True] * 4 + [False] * 4
