"""What credentials say of a cluster."""

from __future__ import annotations

from pathlib import Path

from tuning_operator.cluster.credentials import Credentials


def test_whoever_trusts_the_same_authority_is_in_the_same_cluster(tmp_path: Path) -> None:
    for name, content in (("a", "first"), ("b", "first"), ("c", "second")):
        (tmp_path / name).write_text(content)
    ours = Credentials("https://10.96.0.1", ca_file=str(tmp_path / "a"))
    assert Credentials("https://api.example", ca_file=str(tmp_path / "b")).cluster() == ours.cluster()
    assert Credentials("https://10.96.0.1", ca_file=str(tmp_path / "c")).cluster() != ours.cluster()


def test_without_an_authority_the_address_tells_clusters_apart() -> None:
    assert Credentials("https://a.example").cluster() != Credentials("https://b.example").cluster()
