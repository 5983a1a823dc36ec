"""The TuningStudy resource: its pydantic models, names and labels, durations, and the CRD that is made from them.

Here is what a user may write and what the operator answers in `status`, and nothing that acts on it: no Kubernetes
client, no Optuna, no files but those that `yaml_files` reads and `generate` writes. Rules of one field stand in its
model; rules that the API server must enforce too stand beside them as CEL.
"""
