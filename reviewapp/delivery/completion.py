"""Check whether patches have ended, well or badly; a superseded patch ends with the patch that carries its keys."""

from collections import Counter

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Patch, Reason, State
from reviewapp.keys.laminar_keys import get_active_key

CHUNK_SIZE = 500


def check_patches(project: Project, awaited: Counter[int]) -> tuple[Counter[int], Counter[str]]:
    """Returns the patch ids still to wait for, and the outcomes of the others, each counted as often as awaited.

    An outcome is `confirmed`, `accepted` if the key cannot read back, or `parked: ` and the reason.
    """
    key = get_active_key(project)
    is_read_back = key is None or key.can_read
    pending: Counter[int] = Counter()
    outcomes: Counter[str] = Counter()
    patch_ids = sorted(awaited)
    for start in range(0, len(patch_ids), CHUNK_SIZE):
        rows = Patch.objects.filter(project=project, pk__in=patch_ids[start : start + CHUNK_SIZE])
        for pk, state, reason, newer in rows.values_list("pk", "state", "reason", "superseded_by"):
            if state == State.SUPERSEDED and newer is not None:
                pending[newer] += awaited[pk]
            elif state in (State.WAITING, State.SENDING) or (state == State.ACCEPTED and is_read_back):
                pending[pk] += awaited[pk]
            else:
                outcomes[f"parked: {Reason(reason).label}" if state == State.PARKED else state] += awaited[pk]
    return pending, outcomes
