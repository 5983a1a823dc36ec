"""The operator as a process: it watches studies with kopf, answers probes, and puts all parts together.

The only package that imports kopf. Here is no business logic: handlers pass objects on as they came, and what they
mean is found out in `study_tasks.py`. No handler makes kopf write to an object: no finalizers, which would leave
studies hanging after the operator was uninstalled, and no annotations.
"""
