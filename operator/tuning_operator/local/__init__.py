"""The runner without a cluster: the same engine, with local processes for Jobs.

No Kubernetes client and no kopf: a laptop needs neither. Nothing of a run outlives it but `.tuning/`: processes are
ended with the runner, however it ends.
"""
