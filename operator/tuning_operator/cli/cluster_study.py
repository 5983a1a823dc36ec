"""A study's object on a cluster, read and changed with a person's own credentials."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, TypeVar

from tuning_operator.cluster.answers import RequestRefused
from tuning_operator.cluster.client import ClusterClient
from tuning_operator.cluster.credentials import load_credentials
from tuning_operator.cluster.study_client import StudyClient
from tuning_operator.errors import Forbidden, NotFound, TuningError

CONFLICTS = 5
"""How often a change is made anew, because somebody else changed the study in between."""

Found = TypeVar("Found")


class ClusterStudy:
    """The study `name` in `namespace` (None: the context's own); `client` makes the client of the API server."""

    def __init__(self, name: str, namespace: str | None, client: Callable[[], ClusterClient]) -> None:
        self.name = name
        self._namespace = namespace
        self._client = client

    @classmethod
    def of_context(cls, name: str, namespace: str | None, context: str | None) -> ClusterStudy:
        """Return the study as a context of the kubeconfig sees it; None is the current one."""
        # A person waits: two tries tell as much as four.
        return cls(name, namespace, lambda: ClusterClient(partial(load_credentials, context), attempts=2))

    async def get(self, client: ClusterClient) -> dict[str, Any]:
        """Return the object.

        Raises
        ------
        NotFound, Forbidden, Unavailable
            It does not exist, or can't be read now or by this person.
        """
        namespace = await self._space(client)
        try:
            return await StudyClient(client).study(namespace, self.name)
        except NotFound as error:
            raise NotFound(
                f"there is no TuningStudy {self.name} in the namespace {namespace}; "
                "`kubectl get tuningstudies -A` lists them, and a local study is named by its .yaml file"
            ) from error

    def change(self, edit: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        """Merge what `edit` makes of the object into its spec; an empty change is not sent. Raises as `get` does.

        Raises
        ------
        TuningError
            The API server refuses the change; the sentence is its own.
        """
        self.with_client(partial(self._change, edit))

    def with_client(self, work: Callable[[ClusterClient], Coroutine[Any, Any, Found]]) -> Found:
        """Run something that needs the API server."""

        async def run() -> Found:
            async with self._client() as client:
                return await work(client)

        return asyncio.run(run())

    async def _change(self, edit: Callable[[Mapping[str, Any]], Mapping[str, Any]], client: ClusterClient) -> None:
        for _ in range(CONFLICTS):
            document = await self.get(client)
            spec = edit(document)
            if not spec:
                return
            try:
                await StudyClient(client).merge(document, {"spec": spec})
            except RequestRefused as refused:
                if refused.code != 409:
                    raise TuningError(f"the study {self.name} can't be changed so: {refused}") from refused
            except Forbidden as error:
                raise Forbidden(f"you may not change the study {self.name}: {error}") from error
            else:
                return
        raise TuningError(f"the study {self.name} is being changed by others all the time; try again")

    async def _space(self, client: ClusterClient) -> str:
        return self._namespace or (await client.credentials()).namespace
