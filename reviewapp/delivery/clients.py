"""One Laminar client per project, kept while its key and address stay the same."""

import logging
from dataclasses import dataclass, field

from asgiref.sync import sync_to_async

from reviewapp.accounts.models import Project
from reviewapp.keys.holding import async_client, key_in_use
from reviewapp.keys.models import LaminarKey
from reviewapp.keys.sealing import CannotOpen
from reviewapp.laminar import AsyncLaminar, KeyRefused

log = logging.getLogger(__name__)

NO_KEY = "The project has no Laminar key. Nothing is lost: an admin adds one, and what waits is sent."


@dataclass(slots=True)
class Connection:
    """A client with the key it speaks with."""

    client: AsyncLaminar
    key: LaminarKey
    base_url: str


@dataclass(slots=True)
class Clients:
    """The open connections of one worker, by project."""

    kept: dict[int, Connection] = field(default_factory=dict)

    async def of(self, project: Project) -> Connection:
        """The project's connection with the key in use at this moment. Raises KeyRefused where there is none."""
        key = await sync_to_async(key_in_use)(project)
        if key is None:
            raise KeyRefused(NO_KEY)
        found = self.kept.get(project.pk)
        if found is not None and (found.key.pk, found.base_url) == (key.pk, project.base_url):
            return found
        try:
            client = async_client(project, key)
        except CannotOpen as error:
            raise KeyRefused(str(error)) from None
        if found is not None:
            # Its pushes under way end by themselves; only then are its sockets closed.
            self.retired.append(found.client)
        self.kept[project.pk] = Connection(client, key, project.base_url)
        return self.kept[project.pk]

    retired: list[AsyncLaminar] = field(default_factory=list)

    async def close(self) -> None:
        for client in [*self.retired, *(connection.client for connection in self.kept.values())]:
            await client.aclose()
