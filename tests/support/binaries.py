"""Where the programs of Kubernetes lie on this machine."""

from __future__ import annotations

import os
from pathlib import Path

ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"
"""Environment variable that names the folder with etcd, kube-apiserver and the rest."""

CONTROL_PLANE_PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
"""What a `ControlPlane` starts or calls."""

ADVICE = (
    "`go install sigs.k8s.io/controller-runtime/tools/setup-envtest@latest` and "
    f"`export {ASSETS_VARIABLE}=$(setup-envtest use 1.34.x -p path)` bring etcd, kube-apiserver and kubectl; "
    "kube-controller-manager and kube-scheduler of the same version belong beside them (https://dl.k8s.io)"
)
"""How to get the programs."""


class MissingBinaries(Exception):
    """The programs of Kubernetes are not on this machine; the message says how to get them."""


def find_binaries() -> Path:
    """The folder with all programs of the control plane. Raises MissingBinaries when it is not set or not complete."""
    folder = os.environ.get(ASSETS_VARIABLE)
    if not folder:
        raise MissingBinaries(f"{ASSETS_VARIABLE} is not set, so there is no Kubernetes to test against: {ADVICE}.")
    missing = [name for name in CONTROL_PLANE_PROGRAMS if not os.access(Path(folder, name), os.X_OK)]
    if missing:
        raise MissingBinaries(f"{folder} ({ASSETS_VARIABLE}) has no {', '.join(missing)}: {ADVICE}.")
    return Path(folder).resolve()
