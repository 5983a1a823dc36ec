"""What a container runs: its command line and environment, as Kubernetes composes them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

Lookup = Callable[[str, str], Awaitable[dict[str, str] | None]]
"""(`configmaps` or `secrets`, name) -> its decoded data in the pod's namespace, None when it does not exist."""

_REFERENCE = re.compile(r"\$(\$|\(([^)]*)\))")
_KEYED_FIELD = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")
_FIELDS: dict[str, tuple[str, ...]] = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
    "metadata.uid": ("metadata", "uid"),
    "spec.nodeName": ("spec", "nodeName"),
    "spec.serviceAccountName": ("spec", "serviceAccountName"),
}
_ADDRESS_FIELDS = ("status.podIP", "status.hostIP")


class CannotStart(Exception):
    """The container can't be created; `reason` is the kubelet's word for it in the container's waiting state."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replaces `$(NAME)` by a variable's value and `$$` by `$`; a reference to an unknown name stays as it is."""

    def replacement(match: re.Match[str]) -> str:
        return "$" if match[1] == "$" else variables.get(match[2], match[0])

    return _REFERENCE.sub(replacement, text)


def command_line(
    container: Mapping[str, Any], variables: Mapping[str, str], image_commands: Mapping[str, Sequence[str]]
) -> list[str]:
    """The program and its arguments: the pod's `command` or else the image's, then the pod's `args`."""
    words = [expand(word, variables) for word in container.get("command", ())]
    if not words:
        words = list(_image_command(container["image"], image_commands))
    words += [expand(word, variables) for word in container.get("args", ())]
    if not words:
        raise CannotStart(
            "CreateContainerError", f"neither the pod nor `image_commands` says what image {container['image']} runs"
        )
    return words


def _image_command(image: str, image_commands: Mapping[str, Sequence[str]]) -> Sequence[str]:
    if image in image_commands:
        return image_commands[image]
    folder, _, name = image.rpartition("/")
    repository = f"{folder}/" * bool(folder) + name.partition("@")[0].partition(":")[0]
    return image_commands.get(repository, ())


async def environment(container: Mapping[str, Any], pod: Mapping[str, Any], lookup: Lookup) -> dict[str, str]:
    """The container's variables; a value may refer to those above it. Raises CannotStart for a missing reference."""
    variables: dict[str, str] = {}
    for entry in container.get("env", ()):
        if "valueFrom" in entry:
            value = await _value_from(entry["valueFrom"], pod, lookup)
        else:
            value = expand(entry.get("value", ""), variables)
        if value is not None:
            variables[entry["name"]] = value
    return variables


async def _value_from(source: Mapping[str, Any], pod: Mapping[str, Any], lookup: Lookup) -> str | None:
    if "fieldRef" in source:
        return _field(source["fieldRef"]["fieldPath"], pod)
    for kind, plural in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
        if kind in source:
            return await _key(source[kind], plural, lookup)
    raise CannotStart("CreateContainerConfigError", f"this node cannot resolve valueFrom {sorted(source)}")


def _field(path: str, pod: Mapping[str, Any]) -> str:
    if path in _ADDRESS_FIELDS:
        return "127.0.0.1"
    if keyed := _KEYED_FIELD.fullmatch(path):
        return str(pod["metadata"].get(keyed[1], {}).get(keyed[2], ""))
    if path not in _FIELDS:
        raise CannotStart("CreateContainerConfigError", f"this node cannot resolve the field {path}")
    value: Any = pod
    for step in _FIELDS[path]:
        value = value.get(step, "")
    return str(value)


async def _key(reference: Mapping[str, Any], plural: str, lookup: Lookup) -> str | None:
    data = await lookup(plural, reference["name"])
    if data is not None and reference["key"] in data:
        return data[reference["key"]]
    if reference.get("optional"):
        return None
    missing = f'{plural[:-1]} "{reference["name"]}" not found'
    if data is not None:
        missing = f'couldn\'t find key {reference["key"]} in {plural[:-1]} "{reference["name"]}"'
    raise CannotStart("CreateContainerConfigError", missing)
