"""The fake keeps the promises that the engine's tests rely on."""

from __future__ import annotations

import pytest

from tests.fakes import FakeClock, FakeTrialRepositories
from tests.search.repository_suite import RepositorySuite
from tests.search.studies import KEY, batch, study_spec
from tuning_operator.errors import StorageUnavailable


class FakeWorld:
    """The fake, which a restart changes nothing of."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.repositories = FakeTrialRepositories(self.clock)

    async def restart(self) -> None:
        """Close the study."""
        await self.repositories.close(KEY.uid)


class TestFakeRepository(RepositorySuite):
    """Runs the suite."""

    @pytest.fixture
    def world(self) -> FakeWorld:
        """Return the fake."""
        return FakeWorld()


async def test_a_test_decides_what_is_pruned() -> None:
    repository = await FakeTrialRepositories().open(KEY, study_spec())
    await repository.ask(1)
    repository.prune_on_report.add(0)
    answer = await repository.report(0, 1, batch((1, 0.5)))
    assert (answer.reply.reason, answer.wake) == ("Pruned", True)
    assert repository.history().open[0].prune_decided_at is not None


async def test_a_test_decides_when_the_space_is_exhausted() -> None:
    repository = await FakeTrialRepositories().open(KEY, study_spec())
    repository.points = 2
    assert len(await repository.ask(3)) == 2
    assert repository.history().exhausted


async def test_a_test_decides_when_the_storage_is_away() -> None:
    repository = await FakeTrialRepositories().open(KEY, study_spec())
    repository.fail_next(StorageUnavailable("away"))
    with pytest.raises(StorageUnavailable):
        await repository.ask(1)
    assert len(await repository.ask(1)) == 1
