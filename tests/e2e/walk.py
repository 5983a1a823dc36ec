"""What a user does, in the order in which the README tells it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.e2e.commands import Shell, StepFailed, check, step
from tests.e2e.images import CHART, EXAMPLE

RELEASE = "tuning-operator"
OPERATOR_NAMESPACE = "tuning-operator"
NAMESPACE = "tuning-e2e"
STUDY = "digits-mlp"
DEFINITION = "customresourcedefinition/tuningstudies.tuning-operator.io"
LONGEST_STUDY_S = 1200
"""Seconds for the example's 30 trials; 4 minutes are usual on 2 cores."""
LEAST_ACCURACY = 0.9

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
            self._kubectl(f"rollout status deployment/{RELEASE} -n {OPERATOR_NAMESPACE} --timeout=180s")
        with step(f"run the study {STUDY}"):
            self._kubectl(f"apply -f {EXAMPLE}")
            self._wait_for_study()
            self._kubectl(f"wait --for=condition=Complete tuningstudy/{STUDY} --timeout=10s")
        with step("read the result"):
            self._check_result()
        with step("uninstall the chart"):
            self._shell.run(f"helm uninstall {RELEASE} --namespace {OPERATOR_NAMESPACE} --wait --timeout 90s")
            self._check_what_is_left()
        with step("delete the study"):
            self._kubectl(f"delete -f {EXAMPLE} --timeout=30s")
            self._wait_until_empty("jobs,pods", NAMESPACE)

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
        self._shell.show(f"kubectl get tuningstudies {STUDY} -o yaml")
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

    def _wait_for_study(self) -> None:
        """Shows the study's line whenever it changes, until it ended."""
        deadline = time.monotonic() + LONGEST_STUDY_S
        shown = ""
        while True:
            study = self._study()
            phase = study.get("status", {}).get("phase", "")
            line = f"          {phase} {study.get('status', {}).get('progress', '')}"
            if line != shown:
                print(line, flush=True)
                shown = line
            if phase == "Complete":
                return
            check(phase not in ("Failed", "Refused"), f"the study {STUDY} is {phase}")
            check(time.monotonic() < deadline, f"the study {STUDY} did not end within {LONGEST_STUDY_S} s")
            time.sleep(2)

    def _check_result(self) -> None:
        status = self._study()["status"]
        trials, best = status["trials"], status["best"]
        print(f"          {trials}, best trial {best['number']}: {best['value']:.4f}")
        check(trials["total"] == 30, f"{trials['total']} trials, 30 were asked for")
        check(trials["complete"] + trials["pruned"] == 30, f"not all trials ended well: {trials}")
        check(trials["pruned"] > 0, "no trial was pruned: reports or pruning do not work")
        check(best["value"] >= LEAST_ACCURACY, f"the best accuracy is {best['value']}, below {LEAST_ACCURACY}")
        said = json.loads(self._shell.run(f"kubectl tuning best {STUDY} -o json"))
        check(said["number"] == best["number"], f"kubectl tuning best says {said}, the status {best}")
        listed = json.loads(self._shell.run(f"kubectl tuning trials {STUDY} -o json"))
        check(len(listed) == trials["total"], f"kubectl tuning trials lists {len(listed)} of {trials['total']} trials")
        self._shell.show("kubectl get ts")
        self._shell.show(f"kubectl tuning best {STUDY}")
        metrics = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/services/{RELEASE}-metrics:metrics/proxy/metrics"
        check(
            "\ntuning_" in self._kubectl(f"get --raw {metrics}"), "the metrics Service shows no metric of the operator"
        )
        pods = json.loads(self._kubectl(f"get pods -n {OPERATOR_NAMESPACE} -o json"))["items"]
        restarts = sum(each["restartCount"] for pod in pods for each in pod["status"]["containerStatuses"])
        check(restarts == 0, f"the operator was restarted {restarts} times")

    def _check_what_is_left(self) -> None:
        selector = f"--selector=app.kubernetes.io/instance={RELEASE}"
        self._wait_until_empty(f"{RELEASED_KINDS} {selector}", OPERATOR_NAMESPACE)
        self._wait_until_empty(f"{CLUSTER_KINDS} {selector}", OPERATOR_NAMESPACE)
        self._wait_until_empty("leases,persistentvolumeclaims,pods", OPERATOR_NAMESPACE)
        check(self._study()["status"]["phase"] == "Complete", "the study did not survive the uninstall")

    def _wait_until_empty(self, kinds: str, namespace: str) -> None:
        deadline = time.monotonic() + 90
        while left := self._kubectl(f"get {kinds} -n {namespace} --output=name").split():
            check(time.monotonic() < deadline, f"left in {namespace}: {', '.join(left)}")
            time.sleep(1)

    def _study(self) -> dict[str, Any]:
        study: dict[str, Any] = json.loads(self._kubectl(f"get tuningstudy {STUDY} -o json"))
        return study

    def _kubectl(self, arguments: str) -> str:
        return self._shell.run(f"kubectl {arguments}")


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
