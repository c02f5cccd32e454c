"""One Laminar client per project, reused while its key and base URL stay the same."""

import logging
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from reviewapp.keys.encryption import DecryptionError
from reviewapp.keys.laminar_keys import find_locked_keys, make_async_client
from reviewapp.keys.models import LaminarKey
from reviewapp.laminar import AsyncLaminar, KeyRefused

log = logging.getLogger(__name__)

NO_KEY_MESSAGE = (
    "This project has no Laminar key. Waiting deliveries are saved here and are sent once an admin adds a key."
)
# Seconds until the client of a replaced key is closed: calls under way with that key have ended by then.
RETIRED_CLIENT_SECONDS = 60.0


def get_keys_by_project(project_ids: Collection[int]) -> dict[int, LaminarKey]:
    """Return the active keys of these projects. Each key's `project` has the current base URL."""
    keys = LaminarKey.objects.select_related("project").filter(project__in=project_ids, retired_at=None)
    return {key.project_id: key for key in keys}


@dataclass(slots=True)
class ClientPool:
    """The open clients of one worker, by project primary key."""

    open_clients: dict[int, tuple[LaminarKey, AsyncLaminar]] = field(default_factory=dict)
    # Clients of replaced keys, each with the monotonic time when it was replaced.
    retired: list[tuple[float, AsyncLaminar]] = field(default_factory=list)
    # Projects whose key this process cannot decrypt, with the id of the master key that it lacks. They are left to
    # other workers: nothing of theirs is leased, counted as a failure or stopped.
    locked: dict[int, str] = field(default_factory=dict)

    def find_locked(self) -> None:
        """Find the projects whose active key needs a master key that this process does not have."""
        locked = [key for key in find_locked_keys() if not self._has_client(key)]
        self.locked = {key.project_id: key.master_id for key in locked}
        for master_id, count in Counter(self.locked.values()).items():
            log.error(
                "This node lacks the master key “%s”: other workers must deliver for %d project(s). Add it to"
                " MASTER_KEYS.",
                master_id, count, extra={"summary": f"master key {master_id}"},
            )  # fmt: skip

    def is_locked(self, key: LaminarKey | None) -> bool:
        """Whether this process lacks the master key of a key; if so, the project is locked from now on."""
        if key is None or self._has_client(key) or key.has_master_key:
            return False
        self.locked[key.project_id] = key.master_id
        return True

    def _has_client(self, key: LaminarKey) -> bool:
        previous = self.open_clients.get(key.project_id)
        return previous is not None and (previous[0].pk, previous[0].project.base_url) == (key.pk, key.project.base_url)

    def get(self, key: LaminarKey | None) -> AsyncLaminar:
        """Return the client for this key. Raises LaminarError if there is no key or it cannot be used."""
        if key is None:
            raise KeyRefused(NO_KEY_MESSAGE)
        previous = self.open_clients.get(key.project_id)
        if previous is not None and self._has_client(key):
            return previous[1]
        try:
            client = make_async_client(key.project, key)
        except DecryptionError as error:
            raise KeyRefused(str(error)) from None
        if previous is not None:
            self.retired.append((time.monotonic(), previous[1]))
        self.open_clients[key.project_id] = (key, client)
        return client

    async def close_retired(self) -> None:
        """Close the clients whose keys were replaced more than RETIRED_CLIENT_SECONDS ago."""
        while self.retired and self.retired[0][0] < time.monotonic() - RETIRED_CLIENT_SECONDS:
            await self.retired.pop(0)[1].aclose()

    async def close(self) -> None:
        clients = [client for _, client in [*self.retired, *self.open_clients.values()]]
        self.retired.clear()
        self.open_clients.clear()
        for client in clients:
            await client.aclose()
