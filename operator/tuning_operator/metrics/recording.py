"""Every metric, and the one method that records each."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import ProcessCollector

from tuning_operator import __version__
from tuning_operator.api.retries import FailureClass
from tuning_operator.api.status import ConditionType, StudyStatus
from tuning_operator.api.study import StudySpec
from tuning_operator.decisions.actions import NewAttempt, Outcome
from tuning_operator.decisions.gpus import gpus_of_trial
from tuning_operator.decisions.hold_ups import HoldUp
from tuning_operator.decisions.snapshot import StudyKey
from tuning_operator.decisions.trials import EndState
from tuning_operator.metrics.definitions import STUDY, Definitions

REPORT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; the endpoint promises 5 ms (p50), 30 ms (p99), and 100 ms while the sampler is busy."""
DECISION_BUCKETS = (0.00001, 0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5)
"""Seconds, from a lookup in a sorted list to a pruner that reads thousands of trials."""
LAUNCH_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds; the engine promises 50 ms (p50) and 250 ms (p99) from end to launch, and 1 s to a study's first Job."""

QUEUE_BUCKETS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
"""Seconds, from a free node that has the image to a day in a queue."""

_TRIAL_STATES = ("waiting", "pending", "running", "complete", "pruned", "failed")


class Metrics(Definitions):
    """One process's metrics. Implements `StudyMetrics`."""

    def __init__(self) -> None:
        super().__init__()
        ProcessCollector(registry=self.registry)
        self._define_studies()
        self._define_reports()
        self._define_engine()

    def _define_studies(self) -> None:
        self._trials = self._gauge("tuning_trials", "Trials by state", *STUDY, "state")
        self._best = self._gauge(
            "tuning_best_value",
            "The best value of each objective, once a trial is complete; with several objectives, of the trials on the "
            "front",
            *STUDY,
            "objective",
        )
        self._hypervolume = self._gauge(
            "tuning_hypervolume",
            "With two or three objectives: the volume of what the Pareto front is better than, down to a reference "
            "point that the first 10 complete trials fix; it never shrinks",
            *STUDY,
        )
        self._front = self._gauge("tuning_front_trials", "With several objectives: trials on the Pareto front", *STUDY)
        self._conditions = self._gauge(
            "tuning_study_condition", "1 while the condition is True, else 0", *STUDY, "condition"
        )
        self._ends = self._counter("tuning_trial_ends_total", "Trials that ended, by state", *STUDY, "state")
        self._failures = self._counter(
            "tuning_attempt_failures_total", "Attempts that failed, tried again or not, by class", *STUDY, "class"
        )
        self._retries = self._counter(
            "tuning_trial_retries_total", "Attempts that another one followed, by what ended them", *STUDY, "reason"
        )
        self._held_up = self._gauge(
            "tuning_trials_held_up", "Trials that something keeps from running, by reason", *STUDY, "reason"
        )
        self._queue = self._histogram(
            "tuning_trial_queue_seconds",
            "From a Job's creation to its running pod, over the ended trials",
            QUEUE_BUCKETS,
        )
        self._define_gpu_seconds()

    def _define_gpu_seconds(self) -> None:
        self._gpu_seconds = self._counter(
            "tuning_gpu_seconds_total",
            "GPUs requested times seconds with a running pod, over the ended attempts",
            *STUDY,
        )
        self._gpu_seconds_wasted = self._counter(
            "tuning_gpu_seconds_wasted_total",
            "The part of them that brought no value: of failed trials (Failed), and of attempts that were followed by "
            "another (Repeated; what a checkpoint saved of them is not taken off)",
            *STUDY,
            "reason",
        )
        self._gpu_seconds_saved = self._counter(
            "tuning_gpu_seconds_saved_total",
            "Estimate of what pruning saved: for each pruned trial, what complete trials took on average by then, less "
            "what it took itself",
            *STUDY,
        )

    def _define_reports(self) -> None:
        self._report = self._histogram(
            "tuning_report_seconds", "From a body's receipt to the answer, with its reports durable", REPORT_BUCKETS
        )
        self._reports = self._counter("tuning_reports_total", "Reports that were acknowledged")
        self._refusals = self._counter(
            "tuning_report_rejections_total", "Requests to the report endpoint that were refused", "reason"
        )
        self._log_lines = self._counter("tuning_log_lines_total", "Lines read from trials' logs")
        self._log_reports = self._counter("tuning_log_reports_total", "Reports that were made of lines of logs")
        self._forwarded = self._counter(
            "tuning_forwarded_requests_total",
            "Requests that a standby passed on to the active operator; code 0: no answer",
            "code",
        )
        self._decision = self._histogram(
            "tuning_prune_decision_seconds", "Time of a pruning decision, within a report's answer", DECISION_BUCKETS
        )

        self._commit = self._histogram(
            "tuning_storage_commit_seconds",
            "A transaction of the database, with all that was written in it",
            REPORT_BUCKETS,
        )
        self._storage_errors = self._counter(
            "tuning_storage_errors_total", "Transactions that failed, by the kind of error", "error"
        )

    def _define_engine(self) -> None:
        self._launch = self._histogram(
            "tuning_trial_end_to_launch_seconds", "From a trial's end as seen to the next Job's POST", LAUNCH_BUCKETS
        )
        self._start = self._histogram(
            "tuning_study_start_seconds", "From a study's creation to its first Job's POST", LAUNCH_BUCKETS
        )
        self._stall = self._gauge(
            "tuning_event_loop_stall_seconds", "Longest time in the last one to two minutes that the loop was blocked"
        )
        self._requests = self._counter(
            "tuning_api_requests_total", "Requests to the Kubernetes API server; code 0: no answer", "verb", "code"
        )
        self._leader = self._gauge("tuning_active_leader", "1 while this process is the active operator, else 0")
        self._takeover = self._gauge(
            "tuning_takeover_seconds", "From winning the election to following the studies, once this process did"
        )
        self._gauge("tuning_build_info", "Always 1, for its label", "version").labels(__version__).set(1)

    def study_shown(self, study: StudyKey, status: StudyStatus) -> None:
        """Show a study as its status does."""
        labels = (study.namespace, study.name)
        for state in _TRIAL_STATES:
            self._trials.labels(*labels, state).set(getattr(status.trials, state))
        for condition in ConditionType:
            self._conditions.labels(*labels, condition.value).set(status.is_true(condition))
        if status.best is not None:
            self._best.labels(*labels, next(iter(status.best.values), "")).set(status.best.value)
        for objective in status.objectives:
            self._best.labels(*labels, objective.metric).set(objective.best)
        if status.hypervolume is not None:
            self._hypervolume.labels(*labels).set(status.hypervolume)
        if status.front_size is not None:
            self._front.labels(*labels).set(status.front_size)

    def trials_held_up(self, study: StudyKey, counts: Mapping[HoldUp, int]) -> None:
        """Show how many trials are not running for which reason."""
        for reason in HoldUp:
            self._held_up.labels(study.namespace, study.name, reason.value).set(counts.get(reason, 0))

    def trial_ended(self, study: StudyKey, spec: StudySpec, outcome: Outcome, typical_seconds: float) -> None:
        """Count a trial's end and the GPU time that it held; complete trials take `typical_seconds` so far."""
        labels, gpus = (study.namespace, study.name), gpus_of_trial(spec.trial)
        self._ends.labels(*labels, outcome.state.value).inc()
        self._gpu_seconds.labels(*labels).inc(gpus * outcome.attempt_seconds)
        if outcome.queued_seconds is not None:
            self._queue.observe(outcome.queued_seconds)
        if outcome.state is EndState.FAILED:
            self._failures.labels(*labels, outcome.reason).inc()
            self._gpu_seconds_wasted.labels(*labels, "Failed").inc(gpus * outcome.attempt_seconds)
        elif outcome.state is EndState.PRUNED:
            saved = max(0.0, typical_seconds - outcome.running_seconds)
            self._gpu_seconds_saved.labels(*labels).inc(gpus * saved)

    def attempt_replaced(self, study: StudyKey, spec: StudySpec, new: NewAttempt) -> None:
        """Count an attempt that another one follows, and the GPU time that it held."""
        labels, gpu_seconds = (study.namespace, study.name), gpus_of_trial(spec.trial) * new.attempt_seconds
        if new.reason in set(FailureClass):
            self._failures.labels(*labels, new.reason).inc()
        self._retries.labels(*labels, new.reason).inc()
        self._gpu_seconds.labels(*labels).inc(gpu_seconds)
        self._gpu_seconds_wasted.labels(*labels, "Repeated").inc(gpu_seconds)

    def next_job_posted(self, study: StudyKey, seconds: float) -> None:
        """Record the time from a trial's end as seen to the POST of the next trial's Job."""
        self._launch.observe(max(0.0, seconds))

    def first_job_posted(self, study: StudyKey, seconds: float) -> None:
        """Record the time from a study's creation to the POST of its first Job."""
        self._start.observe(max(0.0, seconds))

    def reports_acknowledged(self, seconds: float, count: int, decision_seconds: float | None) -> None:
        """Record a request that was served, and the pruning decision where one was due."""
        self._report.observe(seconds)
        self._reports.inc(count)
        if decision_seconds is not None:
            self._decision.observe(decision_seconds)

    def report_refused(self, reason: str) -> None:
        """Count a refused request; the reasons are a closed set."""
        self._refusals.labels(reason).inc()

    def log_read(self, lines: int, reports: int) -> None:
        """Count lines of trials' logs, and the reports that were made of them."""
        self._log_lines.inc(lines)
        self._log_reports.inc(reports)

    def storage_committed(self, seconds: float) -> None:
        """Record a transaction of the database."""
        self._commit.observe(seconds)

    def storage_failed(self, error: str) -> None:
        """Count a transaction that failed; the names of our errors are a closed set."""
        self._storage_errors.labels(error).inc()

    def request_forwarded(self, code: int) -> None:
        """Count a request that was passed on to the active operator; code 0: there was no answer."""
        self._forwarded.labels(str(code)).inc()

    def api_requested(self, verb: str, code: int) -> None:
        """Count a request to the API server; code 0: there was no answer."""
        self._requests.labels(verb, str(code)).inc()

    def leadership_changed(self, active: bool) -> None:
        """Show whether this process is the active operator."""
        self._leader.set(active)

    def taken_over(self, seconds: float) -> None:
        """Show how long this process took to follow the studies after it won the election."""
        self._takeover.set(seconds)

    def event_loop_stalled(self, seconds: float) -> None:
        """Show the longest stall of the event loop in the last one to two minutes."""
        self._stall.set(seconds)
