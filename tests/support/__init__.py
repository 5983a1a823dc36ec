"""The real Kubernetes and PostgreSQL that tests and benchmarks run against.

- `control_plane`: etcd, kube-apiserver, kube-controller-manager and kube-scheduler as processes of this machine;
- `process_node`: a node of that control plane which runs a pod's command as a local process, so that real trainers run
  under real Jobs without containers;
- `postgresql`: a database of its own for each test;
- `fixtures`: all of it as pytest fixtures.

The programs of Kubernetes are looked for in the folder that KUBEBUILDER_ASSETS names, the convention of
controller-runtime's envtest: `setup-envtest use 1.34.x -p path` downloads them and prints that folder.

What lives here knows Kubernetes but not this product: it imports none of the project's packages, so that it cannot
share an error with what it is meant to prove. It needs the standard library, aiohttp, PyYAML, cryptography and psycopg.
Nothing that is started here outlives the test process: see `guard`.
"""
