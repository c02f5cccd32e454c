"""One Laminar client per project, kept while its key and address stay the same."""

import time
from collections.abc import Collection
from dataclasses import dataclass, field

from reviewapp.keys.encryption import DecryptionError
from reviewapp.keys.laminar_keys import make_async_client
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import AsyncLaminar, KeyRefused

NO_KEY_MESSAGE = "The project has no Laminar key. Nothing is lost: an admin adds one, and what waits is sent."
# Calls under way with an old key have ended by then, and its sockets can be closed. In seconds.
RETIRED = 60.0


def get_keys_by_project(project_ids: Collection[int]) -> dict[int, LaminarKey]:
    """The keys of these projects at this moment, each with the address it is for as its `project`."""
    keys = LaminarKey.objects.select_related("project").filter(project__in=project_ids, retired_at=None)
    return {key.project_id: key for key in keys}


@dataclass(slots=True)
class ClientPool:
    """The open clients of one worker, by project."""

    open_clients: dict[int, tuple[LaminarKey, AsyncLaminar]] = field(default_factory=dict)
    retired: list[tuple[float, AsyncLaminar]] = field(default_factory=list)

    def get(self, key: LaminarKey | None) -> AsyncLaminar:
        """The client that speaks with this key. Raises LaminarError where there is none, or it cannot be used."""
        if key is None:
            raise KeyRefused(NO_KEY_MESSAGE)
        kept = self.open_clients.get(key.project_id)
        if kept is not None and (kept[0].pk, kept[0].project.base_url) == (key.pk, key.project.base_url):
            return kept[1]
        try:
            client = make_async_client(key.project, key)
        except DecryptionError as error:
            raise KeyRefused(str(error)) from None
        if kept is not None:
            self.retired.append((time.monotonic(), kept[1]))
        self.open_clients[key.project_id] = (key, client)
        return client

    async def close_retired(self) -> None:
        """Close the clients of keys that were replaced a while ago."""
        while self.retired and self.retired[0][0] < time.monotonic() - RETIRED:
            await self.retired.pop(0)[1].aclose()

    async def close(self) -> None:
        clients = [client for _, client in [*self.retired, *self.open_clients.values()]]
        self.retired.clear()
        self.open_clients.clear()
        for client in clients:
            await client.aclose()
