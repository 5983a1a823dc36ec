"""What every implementation of `TrialRepository` promises: subclass `RepositorySuite` and give it a `world` fixture."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import Any, Protocol

import pytest

from tests.builders import new_attempt
from tests.fakes import FakeClock
from tests.search.naming_suite import NamingSuite
from tests.search.runs_suite import RunsSuite
from tests.search.studies import KEY, METRIC, batch, outcome, study_spec
from tuning_contract import FinalState, Report, ReportBatch, TrialEnd
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.actions import KeptPodTime
from tuning_operator.decisions.history import ActiveTime
from tuning_operator.decisions.trials import EndState, FinishedTrial, OpenTrial, PodTime
from tuning_operator.errors import InvalidStudy, NotFound
from tuning_operator.ports import TrialRepositories, TrialRepository

AGAIN = replace(KEY, uid="5f2b7c1e-0000-4000-8000-000000000002")
"""The same study, deleted and created again."""


class World(Protocol):
    """An implementation, and the means to start it anew."""

    repositories: TrialRepositories
    clock: FakeClock

    async def restart(self) -> None:
        """Replace `repositories` as a process that starts anew does."""


class RepositorySuite(RunsSuite, NamingSuite):
    """The promises."""

    async def test_a_new_study_has_no_trials(self, world: World) -> None:
        history = (await _open(world)).history()
        assert history.total == 0
        assert history.open == ()
        assert history.best is None
        assert history.started_at is None

    @pytest.mark.parametrize("restarts", [False, True])
    async def test_a_study_without_trials_takes_another_search(self, world: World, restarts: bool) -> None:
        await _open(world)
        if restarts:
            await world.restart()
        momentum = {"name": "momentum", "type": "Float", "low": 0, "high": 1}
        spec = study_spec(parameters=(momentum,), metric="loss", direction="Minimize")
        repository = await _open(world, spec)
        assert [list(trial.parameters) for trial in await repository.ask(2)] == [["momentum"]] * 2
        await repository.report(0, 1, ReportBatch((Report(1, {"loss": 0.25}),)))
        assert repository.history().open[0].value == 0.25
        await repository.tell([outcome(0, 0.25), outcome(1, 0.5)])
        await world.restart()
        best = (await _open(world, spec)).history().best
        assert best is not None
        assert best.number == 0

    async def test_trials_are_numbered_from_zero_in_the_order_of_asks(self, world: World) -> None:
        repository = await _open(world)
        first = await repository.ask(2)
        second = await repository.ask(1)
        assert [trial.number for trial in [*first, *second]] == [0, 1, 2]
        assert repository.history().open == (*first, *second)
        assert repository.history().total == 3

    async def test_a_trial_has_every_parameter_with_its_type(self, world: World) -> None:
        (trial,) = await (await _open(world)).ask(1)
        assert list(trial.parameters) == ["rate", "units", "optimizer", "epochs"]
        assert isinstance(trial.parameters["rate"], float)
        assert trial.parameters["units"] in (16, 32, 48, 64)
        assert isinstance(trial.parameters["units"], int)
        assert trial.parameters["optimizer"] in ("adam", "sgd")
        assert trial.parameters["epochs"] == 5

    async def test_a_trial_has_a_conditional_parameter_only_where_its_condition_holds(self, world: World) -> None:
        optimizer = {"name": "optimizer", "type": "Categorical", "choices": ["adam", "sgd"]}
        when = {"parameter": "optimizer", "in": ["sgd"], "otherwise": 0}
        momentum = {"name": "momentum", "type": "Float", "low": 0, "high": 1, "when": when}
        enqueued = [{"optimizer": "sgd", "momentum": 0.5}, {"optimizer": "adam"}]
        spec = study_spec((optimizer, momentum), {"enqueue": enqueued})
        await (await _open(world, spec)).ask(2)
        await world.restart()
        repository = await _open(world, spec)
        await repository.tell([outcome(0)])
        assert [dict(trial.parameters) for trial in repository.trials(-1, 9)] == enqueued

    async def test_a_trial_knows_when_it_was_asked_for(self, world: World) -> None:
        repository = await _open(world)
        (trial,) = await repository.ask(1)
        assert trial.asked_at == world.clock.now()
        assert trial.attempt == 1
        assert repository.history().started_at == world.clock.now()

    async def test_enqueued_trials_come_first_and_what_they_leave_out_is_filled_in(self, world: World) -> None:
        spec = study_spec(search={"enqueue": [{"rate": 0.01, "units": 32}, {"optimizer": "sgd"}]})
        trials = await (await _open(world, spec)).ask(3)
        assert trials[0].parameters["rate"] == 0.01
        assert trials[0].parameters["units"] == 32
        assert trials[0].parameters["optimizer"] in ("adam", "sgd")
        assert trials[1].parameters["optimizer"] == "sgd"

    async def test_a_report_shows_in_the_trial(self, world: World) -> None:
        repository = await _with_trials(world, 1)
        world.clock.advance(5)
        answer = await repository.report(0, 1, batch((1, 0.5)))
        first_at = world.clock.now()
        world.clock.advance(5)
        await repository.report(0, 1, batch((2, 0.25)))
        (trial,) = repository.history().open
        assert not answer.reply.stop
        assert (trial.value, trial.last_step, trial.metrics) == (0.25, 2, (METRIC,))
        assert (trial.first_report_at, trial.last_report_at) == (first_at, world.clock.now())

    async def test_only_the_first_report_and_the_end_wake_the_study(self, world: World) -> None:
        repository = await _with_trials(world, 1)
        wakes = [
            (await repository.report(0, 1, batch((1, 0.1)))).wake,
            (await repository.report(0, 1, batch((2, 0.2)))).wake,
            (await repository.report(0, 1, batch(end=FinalState.COMPLETE))).wake,
        ]
        assert wakes == [True, False, True]

    async def test_a_repeated_report_is_acknowledged_and_the_first_value_wins(self, world: World) -> None:
        repository = await _with_trials(world, 1)
        await repository.report(0, 1, batch((1, 0.1), (2, 0.2)))
        answer = await repository.report(0, 1, batch((2, 0.9), (3, 0.3), (3, 0.8)))
        assert not answer.reply.stop
        reports = await asyncio.to_thread(repository.reports, 0)
        assert [(report.step, report.values) for report in reports] == [
            (1, {METRIC: 0.1}),
            (2, {METRIC: 0.2}),
            (3, {METRIC: 0.3}),
        ]

    async def test_reports_sent_at_once_are_all_kept(self, world: World) -> None:
        repository = await _with_trials(world, 3)
        sending = [repository.report(i, 1, batch((step, i + step / 10))) for i in range(3) for step in (1, 2, 3)]
        await asyncio.gather(*sending)
        assert [trial.value for trial in repository.history().open] == [0.3, 1.3, 2.3]
        for number in range(3):
            assert len(await asyncio.to_thread(repository.reports, number)) == 3

    async def test_other_metrics_are_stored_and_named_but_are_not_the_value(self, world: World) -> None:
        repository = await _with_trials(world, 1)
        await repository.report(0, 1, ReportBatch((Report(1, {"loss": 2.0, "time": math.inf}, time=12.0),)))
        (trial,) = repository.history().open
        assert trial.metrics == ("loss", "time")
        assert trial.value is None
        (report,) = await asyncio.to_thread(repository.reports, 0)
        assert (report.attempt, report.step, report.values, report.time) == (1, 1, {"loss": 2.0, "time": math.inf}, 12)

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    async def test_a_value_that_is_not_finite_stops_the_trial(self, world: World, value: float) -> None:
        repository = await _with_trials(world, 1)
        await repository.report(0, 1, batch((1, 0.5)))
        answer = await repository.report(0, 1, batch((2, value)))
        again = await repository.report(0, 1, batch((2, value)))
        assert (answer.reply.stop, answer.reply.reason, answer.wake) == (True, "NotFinite", True)
        assert (again.reply.stop, again.reply.reason) == (True, "NotFinite")
        (trial,) = repository.history().open
        assert trial.value is not None
        assert not math.isfinite(trial.value)

    @pytest.mark.parametrize(
        ("reduce", "values", "stops"),
        [
            ("Last", (0.5, math.nan, 0.7), (False, True, False)),
            ("Best", (0.5, math.nan, 0.7), (False, False, False)),
            ("Best", (math.nan, 0.5, math.inf), (True, False, False)),
            ("Mean", (0.5, math.nan, 0.7), (False, True, True)),
        ],
    )
    async def test_a_trial_is_told_to_stop_when_its_value_as_it_is_reduced_is_not_finite(
        self, world: World, reduce: str, values: tuple[float, ...], stops: tuple[bool, ...]
    ) -> None:
        repository = await _open(world, study_spec(reduce=reduce))
        await repository.ask(1)
        await repository.report(0, 1, ReportBatch((Report(0, {"loss": 1.0}),)))
        for step, (value, stop) in enumerate(zip(values, stops, strict=True), start=1):
            answer = await repository.report(0, 1, batch((step, value)))
            assert (answer.reply.stop, answer.wake) == (stop, stop)
            (trial,) = repository.history().open
            assert trial.value is not None
            assert math.isfinite(trial.value) == (not stop)

    async def test_an_attempts_last_message_is_kept(self, world: World) -> None:
        repository = await _with_trials(world, 1)
        await repository.report(0, 1, batch((1, 0.5), end=FinalState.FAILED, message="out of memory"))
        await repository.report(0, 1, batch(end=FinalState.COMPLETE))
        (trial,) = repository.history().open
        assert trial.end == TrialEnd(FinalState.FAILED, "out of memory")

    async def test_nothing_is_stored_after_an_attempts_last_message(self, world: World) -> None:
        repository = await _with_trials(world, 1)
        await repository.report(0, 1, batch((1, 0.5), end=FinalState.COMPLETE))
        answer = await repository.report(0, 1, batch((2, 0.9)))
        assert (answer.reply.stop, answer.reply.reason, answer.wake) == (True, "Ended", False)
        assert repository.history().open[0].last_step == 1

    async def test_a_new_attempt_starts_without_reports_and_keeps_the_value(self, world: World) -> None:
        repository = await _with_trials(world, 1)
        await repository.report(0, 1, batch((1, 0.5)))
        await repository.start_attempt(new_attempt(0, 2))
        (trial,) = repository.history().open
        assert (trial.attempt, trial.end, trial.last_step, trial.first_report_at) == (2, None, None, None)
        assert (trial.metrics, trial.value) == ((), 0.5)

    async def test_a_newer_attempt_replaces_the_steps_at_or_after_its_first(self, world: World) -> None:
        repository = await _open(world, study_spec(reduce="Best"))
        await repository.ask(1)
        await repository.report(0, 1, batch((1, 0.1), (2, 0.2), (3, 0.9), (4, 0.8)))
        await repository.start_attempt(new_attempt(0, 2))
        await repository.report(0, 2, batch((3, 0.3)))
        assert repository.history().open[0].value == 0.3
        await repository.report(0, 2, batch((2, 0.15)))
        assert repository.history().open[0].value == 0.3
        await world.restart()
        assert (await _open(world, study_spec(reduce="Best"))).history().open[0].value == 0.3

    @pytest.mark.parametrize(("first", "kept"), [(1, []), (3, [0.1, 0.9])])
    async def test_a_container_that_begins_anew_replaces_its_attempts_steps_at_or_after_its_first(
        self, world: World, first: int, kept: list[float]
    ) -> None:
        repository = await _open(world, study_spec(reduce="Best"))
        await repository.ask(2)
        for number in (0, 1):
            await repository.report(number, 1, batch((1, 0.1), (2, 0.9), (3, 0.7), (5, 0.95)))
        world.clock.advance(5)
        answer = await repository.report(0, 1, batch((first, 0.2), (first + 1, 0.3)), afresh=True)
        assert answer.wake
        await repository.report(0, 1, batch((first, 0.8), (first + 2, 0.4)))
        values = [*kept, 0.2, 0.3, 0.4]
        reports = await asyncio.to_thread(repository.reports, 0)
        assert [report.values[METRIC] for report in reports] == values
        (trial, other) = repository.history().open
        assert (trial.value, trial.last_step) == (max(values), first + 2)
        assert trial.first_report_at == world.clock.now() - (5 if kept else 0)
        assert (other.value, other.last_step) == (0.95, 5)
        await world.restart()
        assert (await _open(world, study_spec(reduce="Best"))).history().open == (trial, other)

    async def test_a_container_that_begins_anew_keeps_what_earlier_attempts_reported_before_its_first_step(
        self, world: World
    ) -> None:
        repository = await _open(world, study_spec(reduce="Best"))
        await repository.ask(1)
        await repository.report(0, 1, batch((1, 0.5), (2, 0.9), (3, 0.6)))
        await repository.start_attempt(new_attempt(0, 2))
        await repository.report(0, 2, batch((3, 0.7), (4, 0.95)))
        await repository.report(0, 2, batch((2, 0.1)), afresh=True)
        assert repository.history().open[0].value == 0.5
        before = repository.history().open
        await world.restart()
        assert (await _open(world, study_spec(reduce="Best"))).history().open == before

    async def test_an_older_attempt_is_told_to_stop_and_its_reports_are_not_stored(self, world: World) -> None:
        repository = await _with_trials(world, 1)
        await repository.start_attempt(new_attempt(0, 2))
        answer = await repository.report(0, 1, batch((1, 0.5)))
        assert (answer.reply.stop, answer.reply.reason, answer.wake) == (True, "Superseded", False)
        assert await asyncio.to_thread(repository.reports, 0) == []

    async def test_earlier_attempts_survive_a_restart(self, world: World) -> None:
        repository = await _with_trials(world, 1)
        new = new_attempt(0, 2, failures=1, running_seconds=12.5, message="no luck", retry_at=1_800_000_000.5)
        await repository.start_attempt(new)
        assert repository.history().open[0].earlier == new.earlier
        await world.restart()
        assert (await _open(world)).history().open[0].earlier == new.earlier

    async def test_an_attempt_follows_on_a_last_message_that_its_caller_knew(self, world: World) -> None:
        repository = await _with_trials(world, 1)
        await repository.report(0, 1, batch((1, 0.5), end=FinalState.FAILED))
        after = repository.history().open[0].last_words
        assert not await repository.start_attempt(new_attempt(0, 2)), "its caller did not know of it"
        assert await repository.start_attempt(new_attempt(0, 2, after=after))
        (trial,) = repository.history().open
        assert (trial.attempt, trial.end) == (2, None)
        before = repository.history().open
        await world.restart()
        assert (await _open(world)).history().open == before

    async def test_an_end_that_was_acknowledged_counts_whatever_was_decided_without_it(self, world: World) -> None:
        repository = await _with_trials(world, 2)
        await repository.report(0, 1, batch((1, 0.5)))
        answer = await repository.report(0, 1, batch((2, 0.75), end=FinalState.COMPLETE))
        assert not answer.reply.stop, "it was taken"
        silent = replace(outcome(0, None, EndState.FAILED), reason="Silent")
        assert await repository.tell([silent, outcome(1, 0.25)]) == {0}
        assert repository.finished(0) is None
        assert repository.finished(1) is not None, "what is known of others holds"
        (trial,) = repository.history().open
        assert await repository.tell([outcome(0, 0.75, after=trial.last_words)]) == set()
        finished = repository.finished(0)
        assert finished is not None
        assert (finished.state, finished.value) == (EndState.COMPLETE, 0.75)
        assert await repository.tell([silent]) == set(), "one that has ended has ended"
        assert repository.finished(0) == finished

    async def test_reports_that_were_acknowledged_count_in_the_value(self, world: World) -> None:
        repository = await _with_trials(world, 4)
        for number, value in enumerate([0.75, 0.75, math.nan, 0.75]):
            await repository.report(number, 1, batch((1, 0.5)))
            await repository.report(number, 1, batch((2, value)))
        stopped, failed = EndState.PRUNED, EndState.FAILED
        outcomes = [outcome(0), outcome(1, 0.5, stopped), outcome(2), outcome(3, None, failed)]
        assert await repository.tell(outcomes) == {2}
        told = [None if trial is None else trial.value for trial in map(repository.finished, range(4))]
        assert told == [0.75, 0.75, None, None]
        assert [trial.number for trial in repository.history().open] == [2], "it diverged, and is not complete"
        assert await repository.tell([outcome(2, 0.5, stopped)]) == set()
        await world.restart()
        reopened = await _open(world)
        assert [trial.value for trial in map(reopened.finished, range(4)) if trial is not None] == [
            0.75,
            0.75,
            None,
            None,
        ]

    async def test_the_studys_clock_goes_from_the_first_trial_on_until_it_is_stored(self, world: World) -> None:
        repository = await _with_trials(world, 1)
        started_at = repository.history().started_at
        assert repository.history().active == ActiveTime(since=started_at)
        for clock in (ActiveTime(3.5), ActiveTime(3.5, since=1_800_000_000.5)):
            await repository.keep_active_time(clock)
            assert repository.history().active == clock
        await world.restart()
        assert (await _open(world)).history().active == clock

    async def test_the_time_of_an_attempts_pods_is_stored_and_is_that_attempts_alone(self, world: World) -> None:
        repository = await _with_trials(world, 3)
        going, stopped = PodTime(0.0, 1_800_000_000.5, goes_on=True), PodTime(77.5, 1_800_000_078.0)
        await repository.keep_pod_times([KeptPodTime(1, 1, going), KeptPodTime(0, 1, going)])
        await repository.keep_pod_times([KeptPodTime(0, 1, stopped)])
        assert [trial.pod_time for trial in repository.history().open] == [stopped, going, PodTime()]
        await world.restart()
        repository = await _open(world)
        assert [trial.pod_time for trial in repository.history().open] == [stopped, going, PodTime()]
        await repository.start_attempt(new_attempt(0, 2))
        await repository.tell([outcome(1, 0.5)])
        await repository.keep_pod_times([KeptPodTime(0, 1, stopped), KeptPodTime(1, 1, stopped)])
        assert [trial.pod_time for trial in repository.history().open] == [PodTime(), PodTime()]
        await world.restart()
        assert [trial.pod_time for trial in (await _open(world)).history().open] == [PodTime(), PodTime()]

    async def test_failures_that_a_disruption_caused_are_not_charged(self, world: World) -> None:
        repository = await _with_trials(world, 2)
        await repository.tell([replace(outcome(0, None, EndState.FAILED), reason="Preempted")])
        await repository.tell([replace(outcome(1, None, EndState.FAILED), reason="Error")])
        history = repository.history()
        assert (history.failed, history.charged_failures, history.longest_failed_streak) == (2, 1, 1)

    async def test_improvements_are_those_of_trials_that_beat_all_before(self, world: World) -> None:
        repository = await _with_trials(world, 4)
        for number, value in enumerate([0.5, 0.4, 0.7, 0.7]):
            await repository.tell([outcome(number, value)])
        assert repository.history().improvements == ((1, 0.5), (3, 0.7))
        await world.restart()
        assert (await _open(world)).history().improvements == ((1, 0.5), (3, 0.7))

    async def test_a_trial_may_begin_with_a_later_attempt(self, world: World) -> None:
        repository = await _open(world)
        trials = await repository.ask(2, {1: 3, 7: 2})
        assert [(trial.attempt, trial.earlier.first) for trial in trials] == [(1, 1), (3, 3)]
        answer = await repository.report(1, 1, batch((1, 0.9)))
        assert (answer.reply.stop, answer.reply.reason) == (True, "Superseded")
        await repository.report(1, 3, batch((1, 0.5)))
        before = repository.history().open
        assert before[1].value == 0.5
        await world.restart()
        assert (await _open(world)).history().open == before

    async def test_a_trial_that_starts_afresh_has_nothing_of_its_attempts_before(self, world: World) -> None:
        repository = await _open(world, study_spec(reduce="Best"))
        await repository.ask(1)
        await repository.report(0, 1, batch((1, 0.9), (2, 0.8), end=FinalState.COMPLETE))
        afresh = new_attempt(0, 2, after=repository.history().open[0].last_words, first=2)
        assert await repository.start_attempt(afresh)
        (trial,) = repository.history().open
        assert (trial.attempt, trial.value, trial.end, trial.prune_decided_at) == (2, None, None, None)
        assert (await repository.report(0, 1, batch((3, 0.7)))).reply.reason == "Superseded"
        await repository.report(0, 2, batch((2, 0.5)))
        before = repository.history().open
        assert before[0].value == 0.5
        await world.restart()
        repository = await _open(world, study_spec(reduce="Best"))
        assert repository.history().open == before
        await repository.start_attempt(new_attempt(0, 3, first=2))
        assert repository.history().open[0].value == 0.5, "a retry goes on with what its own trial reported"

    async def test_starting_an_attempt_again_changes_nothing(self, world: World) -> None:
        repository = await _with_trials(world, 1)
        await repository.start_attempt(new_attempt(0, 2))
        await repository.report(0, 2, batch((1, 0.5)))
        await repository.start_attempt(new_attempt(0, 2))
        assert repository.history().open[0].last_step == 1

    @pytest.mark.parametrize("state", list(FinalState))
    async def test_no_attempt_follows_one_whose_end_was_acknowledged(self, world: World, state: FinalState) -> None:
        repository = await _with_trials(world, 1)
        await repository.report(0, 1, batch((1, 0.5), end=state))
        before = repository.history().open
        await repository.start_attempt(new_attempt(0, 2))
        assert repository.history().open == before
        await world.restart()
        assert (await _open(world)).history().open == before

    @pytest.mark.parametrize(("number", "attempt"), [(1, 1), (-1, 1), (0, 2), (0, 0)])
    async def test_reports_of_unknown_trials_and_attempts_are_not_found(
        self, world: World, number: int, attempt: int
    ) -> None:
        repository = await _with_trials(world, 1)
        with pytest.raises(NotFound):
            await repository.report(number, attempt, batch((1, 0.5)))

    async def test_a_told_trial_is_finished(self, world: World) -> None:
        repository = await _with_trials(world, 2)
        world.clock.advance(60)
        await repository.tell([outcome(1, 0.75)])
        parameters = repository.trials(-1, 9)[1].parameters
        finished = FinishedTrial(
            number=1,
            state=EndState.COMPLETE,
            parameters=parameters,
            value=0.75,
            reason="Finished",
            message="it ended",
            attempt=1,
            ended_at=world.clock.now(),
            running_seconds=2.5,
        )
        assert repository.finished(1) == finished
        assert repository.finished(0) is None
        assert repository.finished(2) is None
        history = repository.history()
        assert [trial.number for trial in history.open] == [0]
        assert (history.total, history.complete, history.best) == (2, 1, finished)
        assert (history.recent, history.last_ended_at) == ((finished,), world.clock.now())

    async def test_telling_again_changes_nothing(self, world: World) -> None:
        repository = await _with_trials(world, 1)
        await repository.tell([outcome(0, 0.75)])
        before = repository.history()
        await repository.tell([outcome(0, None, EndState.FAILED), outcome(0, 0.9)])
        assert repository.history() == before

    async def test_a_failed_trial_has_no_value(self, world: World) -> None:
        repository = await _with_trials(world, 1)
        await repository.tell([outcome(0, 0.75, EndState.FAILED)])
        finished = repository.finished(0)
        assert finished is not None
        assert (finished.state, finished.value) == (EndState.FAILED, None)
        assert repository.history().best is None

    async def test_a_finished_trial_is_told_to_stop(self, world: World) -> None:
        repository = await _with_trials(world, 2)
        await repository.tell([outcome(0), outcome(1, 0.1, EndState.PRUNED)])
        replies = [(await repository.report(number, 1, batch((9, 0.5)))).reply for number in (0, 1)]
        assert [(reply.stop, reply.reason) for reply in replies] == [(True, "Ended"), (True, "Pruned")]
        assert await asyncio.to_thread(repository.reports, 0) == []

    async def test_the_best_trial_is_the_earliest_of_the_best_complete_ones(self, world: World) -> None:
        repository = await _with_trials(world, 5)
        await repository.tell([outcome(0, 0.2), outcome(4, 0.9)])
        await repository.tell([outcome(1, 0.9), outcome(2, 0.99, EndState.PRUNED)])
        await repository.tell([outcome(3, 0.9)])
        best = repository.history().best
        assert best is not None
        assert best.number == 1

    async def test_the_best_of_a_minimized_objective_is_the_smallest(self, world: World) -> None:
        repository = await _open(world, study_spec(direction="Minimize"))
        await repository.ask(3)
        await repository.tell([outcome(0, 0.5), outcome(1, -0.5), outcome(2, 0.1)])
        best = repository.history().best
        assert best is not None
        assert best.number == 1

    async def test_failures_in_a_row_are_counted_in_the_order_of_their_ends(self, world: World) -> None:
        repository = await _with_trials(world, 8)
        for number, state in ((7, EndState.FAILED), (0, EndState.FAILED), (1, EndState.COMPLETE), (2, EndState.FAILED)):
            world.clock.advance(1)
            await repository.tell([outcome(number, 0.5, state)])
        history = repository.history()
        assert (history.failed, history.failed_streak, history.longest_failed_streak) == (3, 1, 2)

    async def test_only_the_last_ten_ends_are_recent_the_newest_first(self, world: World) -> None:
        repository = await _with_trials(world, 12)
        for number in reversed(range(12)):
            world.clock.advance(1)
            await repository.tell([outcome(number)])
        history = repository.history()
        assert [trial.number for trial in history.recent] == list(range(10))
        assert history.running_seconds == 12 * 2.5

    async def test_trials_are_listed_by_number_in_pages(self, world: World) -> None:
        repository = await _with_trials(world, 4)
        await repository.tell([outcome(2)])
        page = repository.trials(after=0, limit=2)
        assert [(trial.number, type(trial)) for trial in page] == [(1, OpenTrial), (2, FinishedTrial)]
        assert [trial.number for trial in repository.trials(after=-1, limit=100)] == [0, 1, 2, 3]
        assert list(repository.trials(after=3, limit=5)) == []

    async def test_a_restart_changes_nothing(self, world: World) -> None:
        repository = await _with_trials(world, 6)
        await repository.report(0, 1, batch((1, 0.5), (2, 0.75), end=FinalState.COMPLETE, message="done"))
        await repository.start_attempt(new_attempt(1, 2))
        await repository.report(1, 2, batch((1, math.nan)))
        await repository.report(2, 1, ReportBatch((Report(1, {"loss": 1.5}),)))
        await repository.report(3, 1, batch((1, 0.1)))
        world.clock.advance(10)
        await repository.tell([outcome(3, 0.1, EndState.PRUNED), outcome(4, 0.9)])
        world.clock.advance(10)
        await repository.tell([outcome(5, None, EndState.FAILED)])
        before = repository.history(), repository.trials(-1, 100)
        await world.restart()
        repository = await _open(world)
        assert _comparable(repository.history(), repository.trials(-1, 100)) == _comparable(*before)

    async def test_a_repeated_report_is_known_after_a_restart(self, world: World) -> None:
        repository = await _with_trials(world, 1)
        await repository.report(0, 1, batch((1, 0.5)))
        await world.restart()
        repository = await _open(world)
        answer = await repository.report(0, 1, batch((1, 0.9)))
        assert (answer.reply.stop, answer.wake) == (False, False)
        assert repository.history().open[0].value == 0.5

    async def test_an_open_study_is_found_until_it_is_closed(self, world: World) -> None:
        assert world.repositories.find(KEY.uid) is None
        repository = await _with_trials(world, 1)
        assert world.repositories.find(KEY.uid) is repository
        assert await _open(world) is repository
        await world.repositories.close(KEY.uid)
        assert world.repositories.find(KEY.uid) is None
        assert (await _open(world)).history().total == 1

    async def test_a_study_that_is_created_again_goes_on_with_the_earlier_history(self, world: World) -> None:
        repository = await _with_trials(world, 3)
        await repository.report(0, 1, batch((1, 0.5)))
        await repository.report(1, 1, batch((1, 0.75), end=FinalState.COMPLETE))
        await repository.tell([outcome(2, 0.25)])
        await world.restart()
        repository = await world.repositories.open(AGAIN, study_spec(), "true")
        assert [(trial.number, trial.attempt) for trial in repository.history().open] == [(0, 2), (1, 1)]
        best = repository.history().best
        assert best is not None
        assert best.number == 2
        assert [trial.number for trial in await repository.ask(1)] == [3]
        await repository.report(0, 2, batch((1, 0.625)))
        assert repository.history().open[0].value == 0.625
        await world.restart()
        assert (await world.repositories.open(AGAIN, study_spec())).history() == repository.history()

    async def test_a_study_that_is_created_again_starts_anew_unless_it_says_so(self, world: World) -> None:
        await _with_trials(world, 2)
        assert (await world.repositories.open(AGAIN, study_spec())).history().total == 0
        assert (await _open(world)).history().total == 2

    async def test_where_there_is_nothing_to_resume_a_study_starts_anew(self, world: World) -> None:
        await _open(world)
        repository = await world.repositories.open(AGAIN, study_spec(), "true")
        assert [trial.number for trial in await repository.ask(1)] == [0]

    async def test_a_history_of_another_search_is_not_resumed_and_stays_as_it_is(self, world: World) -> None:
        await _with_trials(world, 1)
        momentum = {"name": "momentum", "type": "Float", "low": 0, "high": 1}
        with pytest.raises(InvalidStudy) as refused:
            await world.repositories.open(AGAIN, study_spec(parameters=(momentum,)), "true")
        assert refused.value.reason == "NotResumable"
        assert world.repositories.find(AGAIN.uid) is None
        assert (await _open(world)).history().open[0].attempt == 1

    async def test_each_objective_is_reduced_by_itself(self, world: World) -> None:
        repository = await _open(world, _several())
        await repository.ask(1)
        reports = (Report(1, {METRIC: 0.9, "size": 10.0}), Report(2, {METRIC: 0.5, "size": 20.0, "latency": 3.0}))
        await repository.report(0, 1, ReportBatch(reports))
        (trial,) = repository.history().open
        assert (trial.value, trial.further) == (0.5, {"size": 15.0, "latency": 3.0})

    async def test_complete_trials_form_a_front_that_outlives_a_restart(self, world: World) -> None:
        repository = await _open(world, _several())
        await repository.ask(3)
        for number, (accuracy, size, latency) in enumerate([(0.5, 10.0, 1.0), (0.4, 30.0, 1.0), (0.9, 1.0, 99.0)]):
            values = {METRIC: accuracy, "size": size, "latency": latency}
            await repository.report(number, 1, ReportBatch((Report(1, values),)))
            await repository.tell([outcome(number, accuracy)])
        await world.restart()
        history = (await _open(world, _several())).history()
        assert history.best is None
        (member,) = history.front.members
        assert (member.trial.number, member.trial.value) == (0, 0.5)
        assert member.trial.further == {"size": 10.0, "latency": 1.0}

    async def test_the_secret_key_stays_the_same(self, world: World) -> None:
        key = await world.repositories.secret_key()
        assert len(key) == 32
        await world.restart()
        assert await world.repositories.secret_key() == key


async def _open(world: World, spec: StudySpec | None = None) -> TrialRepository:
    return await world.repositories.open(KEY, spec or study_spec())


def _several() -> StudySpec:
    """A study of two objectives that wants a low latency, too."""
    document = study_spec().to_document()
    size = {"metric": "size", "direction": "Minimize", "reduce": "Mean"}
    bounds = [{"metric": "latency", "max": 20}]
    return StudySpec.model_validate(
        {**document, "objectives": [*document["objectives"], size], "metricConstraints": bounds}
    )


async def _with_trials(world: World, count: int) -> TrialRepository:
    repository = await _open(world)
    await repository.ask(count)
    return repository


def _comparable(*values: Any) -> str:
    """NaN differs from itself, its text does not."""
    return repr(values)
