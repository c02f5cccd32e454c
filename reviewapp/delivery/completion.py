"""Wait for patches to end well or badly; one that was superseded ends with the patch that carries it."""

from collections import Counter

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Patch, Reason, State
from reviewapp.keys.laminar_keys import get_active_key

CHUNK = 500


def check_patches(project: Project, awaited: Counter[int]) -> tuple[Counter[int], Counter[str]]:
    """Which patches are still to be waited for, and how those ended that are not, each counted as often as awaited.

    An ended one is `confirmed`, `accepted` where the key cannot read back, or `parked: ` and the reason.
    """
    key = get_active_key(project)
    is_read_back = key is None or key.can_read
    left: Counter[int] = Counter()
    ended: Counter[str] = Counter()
    numbers = sorted(awaited)
    for start in range(0, len(numbers), CHUNK):
        rows = Patch.objects.filter(project=project, pk__in=numbers[start : start + CHUNK])
        for pk, state, reason, newer in rows.values_list("pk", "state", "reason", "superseded_by"):
            if state == State.SUPERSEDED and newer is not None:
                left[newer] += awaited[pk]
            elif state in (State.WAITING, State.SENDING) or (state == State.ACCEPTED and is_read_back):
                left[pk] += awaited[pk]
            else:
                ended[f"parked: {Reason(reason).label}" if state == State.PARKED else state] += awaited[pk]
    return left, ended
