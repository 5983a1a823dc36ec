"""A node of the control plane without containers: it runs each pod's command as a process of this machine.

`ProcessNode` (handle.py) starts `python -m tests.support.process_node` and is what tests use; the rest runs inside that
process. It behaves as a kubelet as far as trial pods can tell:

- the first container's `command` and `args` with `$(VAR)` expansion, its `env` with literal values, fieldRef,
  configMapKeyRef and secretKeyRef; `python` is the interpreter of the tests; an image without a command in the pod runs
  what `image_commands` says;
- Running, Succeeded and Failed with exit code and times; ErrImagePull and ImagePullBackOff for an image whose name
  contains `does-not-exist`; OOMKilled for one that contains
  `out-of-memory` and was killed; CreateContainerConfigError for a missing Secret; StartError for a missing program;
- deletion with SIGTERM, the grace period, SIGKILL; a forced deletion kills at once. Unlike the first process of a real
  container, one without a handler for SIGTERM ends by it;
- after a restart of the node, pods that ran have failed with ContainerStatusUnknown;
- logs through the API server (`kubectl logs -f`, tailLines, sinceTime, timestamps ...).

It does not: run init containers, sidecars or probes, restart containers (every pod is `restartPolicy: Never`), enforce
CPU or memory, or mount volumes: a volume is whatever folder this machine has at its mountPath.
"""

from .handle import ProcessNode

__all__ = ["ProcessNode"]
