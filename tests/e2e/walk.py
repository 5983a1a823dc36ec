"""What a user does, in the order of the README; then studies that report by their logs, and with pods' own tokens."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.commands import Shell, StepFailed, check, step
from tests.e2e.images import CHART
from tests.e2e.studies import Study, digits, printing, with_tokens

RELEASE = "tuning-operator"
OPERATOR_NAMESPACE = "tuning-operator"
NAMESPACE = "tuning-e2e"
DEFINITION = "customresourcedefinition/tuningstudies.tuning-operator.io"

RELEASED_KINDS = (
    "deployments,replicasets,pods,services,configmaps,persistentvolumeclaims,"
    "roles,rolebindings,serviceaccounts,leases,networkpolicies"
)
CLUSTER_KINDS = "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings"


class Walk:
    """One user with one kubeconfig, whose current namespace is the one of the studies."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def check_cluster(self) -> None:
        """Refuses a cluster that has an operator: it would run the study too, and cleaning up would remove it."""
        used = self._kubectl(
            f"get {DEFINITION} namespace/{NAMESPACE} namespace/{OPERATOR_NAMESPACE} --ignore-not-found"
        )
        check(not used, f"the operator is, or was, installed on this cluster; take one without:\n{used}")

    def go(self) -> None:
        """Walks the whole path. Raises StepFailed."""
        with step("install the chart"):
            self._install()
        with step("the operator is ready"):
            self._wait_for_operator()
        for study in (digits(), printing()):
            self._run(study)
            self._delete(study)  # what comes next forgets the history, and would begin it anew
        with step("ask for pods' own tokens"):
            self._ask_for_tokens()
        self._run(last := with_tokens())
        with step("uninstall the chart"):
            self._shell.run(f"helm uninstall {RELEASE} --namespace {OPERATOR_NAMESPACE} --wait --timeout 90s")
            self._check_what_is_left(last)
        self._delete(last)

    def clean_up(self) -> None:
        """Removes what a walk leaves, also one that failed."""
        with step("clean up"):
            self._shell.show(f"helm uninstall {RELEASE} --namespace {OPERATOR_NAMESPACE} --ignore-not-found")
            self._shell.show(f"kubectl delete {DEFINITION} --ignore-not-found --timeout=60s")
            self._shell.show(
                f"kubectl delete namespace {NAMESPACE} {OPERATOR_NAMESPACE} --ignore-not-found --wait=false"
            )

    def explain(self) -> None:
        """Prints what helps to find out why a walk failed."""
        self._shell.show("kubectl get tuningstudies -o yaml")
        self._shell.show("kubectl get jobs,pods -o wide")
        self._shell.show("kubectl get events --sort-by=.lastTimestamp")
        self._shell.show(f"kubectl describe pods -n {OPERATOR_NAMESPACE}")
        self._shell.show(f"kubectl logs deployment/{RELEASE} -n {OPERATOR_NAMESPACE} --tail=200")
        self._shell.show(f"kubectl logs deployment/{RELEASE} -n {OPERATOR_NAMESPACE} --tail=100 --previous")

    def _install(self) -> None:
        for namespace in (OPERATOR_NAMESPACE, NAMESPACE):
            self._kubectl(f"create namespace {namespace}")
            self._kubectl(f"label namespace {namespace} pod-security.kubernetes.io/enforce=restricted")
        where = f"--namespace {OPERATOR_NAMESPACE}"
        self._shell.run(f"helm install {RELEASE} {CHART} {where} --set persistence.enabled=false")
        self._kubectl(f"config set-context --current --namespace={NAMESPACE}")

    def _wait_for_operator(self) -> None:
        self._kubectl(f"rollout status deployment/{RELEASE} -n {OPERATOR_NAMESPACE} --timeout=180s")

    def _ask_for_tokens(self) -> None:
        setting = "--reuse-values --set reports.authentication=ServiceAccountToken"
        self._shell.run(f"helm upgrade {RELEASE} {CHART} --namespace {OPERATOR_NAMESPACE} {setting}")
        self._wait_for_operator()

    def _run(self, study: Study) -> None:
        with step(f"run the study {study.name}"):
            self._kubectl("apply -f -", yaml.safe_dump(study.document))
            self._wait_for_study(study)
            self._kubectl(f"wait --for=condition=Complete tuningstudy/{study.name} --timeout=10s")
        with step("read the result"):
            self._check_result(study)

    def _delete(self, study: Study) -> None:
        with step(f"delete the study {study.name}"):
            self._kubectl(f"delete tuningstudy {study.name} --timeout=30s")
            self._wait_until_empty("jobs,pods", NAMESPACE)

    def _wait_for_study(self, study: Study) -> None:
        """Shows the study's line whenever it changes, until it ended."""
        deadline = time.monotonic() + study.longest
        shown = ""
        while True:
            status = self._status(study)
            phase = status.get("phase", "")
            line = f"          {phase} {status.get('progress', '')}"
            if line != shown:
                print(line, flush=True)
                shown = line
            if phase == "Complete":
                return
            check(phase not in ("Failed", "Refused"), f"the study {study.name} is {phase}")
            check(time.monotonic() < deadline, f"the study {study.name} did not end within {study.longest:.0f} s")
            time.sleep(2)

    def _check_result(self, study: Study) -> None:
        status = self._status(study)
        trials, best = status["trials"], status["best"]
        print(f"          {trials}, best trial {best['number']}: {best['value']:.4f}")
        check(trials["total"] == study.trials, f"{trials['total']} trials, {study.trials} were asked for")
        check(trials["complete"] + trials["pruned"] == study.trials, f"not all trials ended well: {trials}")
        check(trials["pruned"] > 0 or not study.prunes, "no trial was pruned: reports or pruning do not work")
        least = study.least_accuracy
        check(best["value"] >= least, f"the best accuracy is {best['value']}, below {least}")
        self._check_credential(study)
        said = json.loads(self._shell.run(f"kubectl tuning best {study.name} -o json"))
        check(said["number"] == best["number"], f"kubectl tuning best says {said}, the status {best}")
        listed = json.loads(self._shell.run(f"kubectl tuning trials {study.name} -o json"))
        check(len(listed) == trials["total"], f"kubectl tuning trials lists {len(listed)} of {trials['total']} trials")
        self._shell.show("kubectl get ts")
        self._shell.show(f"kubectl tuning best {study.name}")
        metrics = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/services/{RELEASE}-metrics:metrics/proxy/metrics"
        check(
            "\ntuning_" in self._kubectl(f"get --raw {metrics}"), "the metrics Service shows no metric of the operator"
        )
        pods = json.loads(self._kubectl(f"get pods -n {OPERATOR_NAMESPACE} -o json"))["items"]
        restarts = sum(each["restartCount"] for pod in pods for each in pod["status"]["containerStatuses"])
        check(restarts == 0, f"the operator was restarted {restarts} times")

    def _check_credential(self, study: Study) -> None:
        """Trials report in the way that this study is to try."""
        (job, *_) = json.loads(self._kubectl("get jobs -o json"))["items"]
        (container,) = job["spec"]["template"]["spec"]["containers"]
        given = {each["name"] for each in container["env"]} & {"TUNING_REPORT_TOKEN", "TUNING_REPORT_TOKEN_FILE"}
        check(given == {study.credential} - {None}, f"trials have {given or 'no credential'}, not {study.credential}")

    def _check_what_is_left(self, study: Study) -> None:
        selector = f"--selector=app.kubernetes.io/instance={RELEASE}"
        self._wait_until_empty(f"{RELEASED_KINDS} {selector}", OPERATOR_NAMESPACE)
        self._wait_until_empty(f"{CLUSTER_KINDS} {selector}", OPERATOR_NAMESPACE)
        self._wait_until_empty("leases,persistentvolumeclaims,pods", OPERATOR_NAMESPACE)
        check(self._status(study)["phase"] == "Complete", "the study did not survive the uninstall")

    def _wait_until_empty(self, kinds: str, namespace: str) -> None:
        deadline = time.monotonic() + 90
        while left := self._kubectl(f"get {kinds} -n {namespace} --output=name").split():
            check(time.monotonic() < deadline, f"left in {namespace}: {', '.join(left)}")
            time.sleep(1)

    def _status(self, study: Study) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self._kubectl(f"get tuningstudy {study.name} -o json")).get("status", {})
        return status

    def _kubectl(self, arguments: str, text: str | None = None) -> str:
        return self._shell.run(f"kubectl {arguments}", text=text)


def walk(kubeconfig: Path, programs: list[Path], own_copy: Path) -> None:
    """Walks the path with a copy of the kubeconfig, because its current namespace changes; always cleans up."""
    own_copy.write_text(Shell(kubeconfig, programs).run("kubectl config view --raw --flatten --minify"))
    own_copy.chmod(0o600)
    walked = Walk(Shell(own_copy, programs))
    walked.check_cluster()
    try:
        walked.go()
    except StepFailed:
        walked.explain()
        raise
    finally:
        walked.clean_up()
