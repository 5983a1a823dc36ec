"""The path that a user walks, on a real cluster with real images: install, tune, read the result, uninstall.

`python -m tests.e2e images` builds the images of operator and trainer, under the names that the chart and the examples
have. `python -m tests.e2e` walks the path on the cluster that KUBECONFIG names, whose nodes must have these images or
be able to pull them. Without KUBECONFIG it starts a single-node cluster of its own with the scripts beside the project
(../shared/kubernetes/cluster, as root on Debian), builds the images into it, and stops it at the end.

Nothing here is collected by pytest: it takes minutes and changes the machine it runs on. It needs the standard library
and PyYAML, and imports nothing of the product: it sees what a user sees.
"""
