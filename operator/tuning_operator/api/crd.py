"""The CustomResourceDefinition of TuningStudy, made from the models."""

from __future__ import annotations

from typing import Any

from tuning_operator.api.changes import IMMUTABLE_AFTER_START
from tuning_operator.api.model import CEL_RULES, cel
from tuning_operator.api.names import GROUP, IN_WORDS, KIND, PLURAL, SHORT_NAME, STUDY_NAME, VERSION
from tuning_operator.api.status import StudyStatus
from tuning_operator.api.structural_schema import Schema, structural_schema, without_defaults
from tuning_operator.api.study import MAX_NAME, StudySpec

_NAME_RULES = [
    cel(
        f"self.metadata.name.size() <= {MAX_NAME}",
        f"the name must have at most {MAX_NAME} characters, for the names of Jobs are made of it; shorten it",
        ".metadata.name",
    ),
    cel(
        f"self.metadata.name.matches('{STUDY_NAME}')",
        f"the name {IN_WORDS[STUDY_NAME]}",
        ".metadata.name",
    ),
]

COLUMNS = [
    {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
    {"name": "Progress", "type": "string", "jsonPath": ".status.progress"},
    {"name": "Running", "type": "integer", "jsonPath": ".status.trials.running"},
    {"name": "Best", "type": "string", "jsonPath": ".status.result"},
    {"name": "Pruned", "type": "integer", "jsonPath": ".status.trials.pruned", "priority": 1},
    {"name": "Failed", "type": "integer", "jsonPath": ".status.trials.failed", "priority": 1},
    {"name": "GPU hours", "type": "number", "jsonPath": ".status.usage.gpuHours", "priority": 1},
    {"name": "Sampler", "type": "string", "jsonPath": ".spec.search.sampler.name", "priority": 1},
    {"name": "Pruner", "type": "string", "jsonPath": ".spec.search.pruner.name", "priority": 1},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]
"""What `kubectl get` shows; priority 1 only with `-o wide`."""


def study_schema() -> Schema:
    """Return the schema of a whole TuningStudy object."""
    status = {**without_defaults(structural_schema(StudyStatus)), "description": "What the operator answers."}
    spec = {**structural_schema(StudySpec), "description": "What to tune, and how."}
    return {
        "type": "object",
        "description": "A search for good hyperparameters: each trial trains a model in a Job of its own.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
            "spec": spec,
            "status": status,
        },
        CEL_RULES: [*_NAME_RULES, *IMMUTABLE_AFTER_START],
    }


def custom_resource_definition() -> dict[str, Any]:
    """Return the CRD as a document for `kubectl apply`."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": [SHORT_NAME],
                "categories": ["all"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": COLUMNS,
                    "schema": {"openAPIV3Schema": study_schema()},
                }
            ],
        },
    }
