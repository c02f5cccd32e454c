"""Watch what was confirmed: whether Laminar still has our values, and what a person decides where it has not."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction

from reviewapp.accounts.models import Project, User
from reviewapp.audit.recording import record
from reviewapp.delivery import outbox, schedule
from reviewapp.delivery.confirmation import BATCH_SIZE, READBACK_LEASE, stands
from reviewapp.delivery.models import Attempt, Breaker, Patch, State
from reviewapp.keys.models import LaminarKey
from reviewapp.lib import canonical_json, clock
from reviewapp.traces.metadata import merge, pairs

# After a look that failed, all of the project's looks wait this long: a push or a read-back is of more use.
RETRY_DELAY = timedelta(minutes=1)
# And a trace that Laminar answers nothing readable for is left alone for so long.
UNREADABLE_DELAY = timedelta(hours=1)
# What Laminar holds under keys of ours: a JSON text, None where there is no such key.
Theirs = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class DriftedKey:
    """One key with both values as one would write them in a filter; `theirs` is None where the key is gone."""

    key: str
    our_value: str
    laminar_value: str | None


def select_due(busy: Collection[int] = ()) -> list[Patch]:
    """Confirmed patches to look at now, taken for one look; none of a project `busy`, held back or without a full key.

    Their `watch_due_at` is set to a moment of this taking: only who holds it writes what came of the look.
    """
    now = clock.now()
    held = Breaker.objects.filter(open_until__gt=now).values("project")
    readable = LaminarKey.objects.filter(retired_at=None, kind=LaminarKey.Kind.FULL).values("project")
    # Only what is left out is named: SQLite would walk over all rows of the projects that are let in.
    others = Project.objects.exclude(pk__in=readable).values("pk")
    due = Patch.objects.filter(watch_due_at__lte=now).exclude(project__in=others)
    due = due.exclude(project__in=busy).exclude(project__in=held).order_by("watch_due_at", "pk")
    if not due.exists():
        return []
    with transaction.atomic():
        rows = list(due.select_related("project").select_for_update(skip_locked=True, of=("self",))[:BATCH_SIZE])
        Patch.objects.filter(pk__in=[row.pk for row in rows]).update(watch_due_at=now + READBACK_LEASE)
    for row in rows:
        row.watch_due_at = now + READBACK_LEASE
    return rows


def reschedule(patches: Sequence[Patch], wait: timedelta = RETRY_DELAY) -> None:
    """Leave them for now: the key was changed for one that cannot read."""
    # Who asked for a look meanwhile gets one.
    as_taken = Patch.objects.filter(watch_due_at__in={patch.watch_due_at for patch in patches})
    as_taken.filter(pk__in=[patch.pk for patch in patches]).update(watch_due_at=clock.now() + wait)


def reschedule_failed(project: Project, patches: Sequence[Patch], error: str) -> None:
    """Look again a while later; that nobody could look says nothing about the values."""
    reschedule(patches)
    now = clock.now()
    Patch.objects.filter(project=project, watch_due_at__lte=now).update(watch_due_at=now + RETRY_DELAY)


def reschedule_unreadable(patch: Patch, error: str) -> None:
    """Leave a patch alone for long whose trace by itself is more than Laminar's answer can be read of."""
    reschedule([patch], UNREADABLE_DELAY)


def record_readback(patches: Sequence[Patch], found: Mapping[UUID, str], seconds: float) -> None:
    """Write which of these patches drifted, or no longer do, by the traces' metadata texts; plan the next looks.

    A trace that Laminar does not show says nothing about its values.
    """
    ours = _newest(patches)
    quiet = []
    for patch in patches:
        there = _members(found.get(patch.trace_id))
        if there is None or _spelled(_differing(patch, ours[patch.pk], there)) == patch.drift:
            quiet.append(patch)
        else:
            _change(patch, there, seconds)
    _plan(quiet)


def find_drifted_keys(patch: Patch) -> list[DriftedKey]:
    """The keys that somebody else has changed, with both values, by name."""
    ours = canonical_json.raw_members(patch.metadata)
    return [
        DriftedKey(key, pairs.display_value(ours[key]), None if raw is None else pairs.display_value(raw))
        for key, raw in sorted(_read(patch.drift).items())
        if key in ours
    ]


def check_now(project: Project, patch_id: int) -> int:
    """Have a confirmed patch looked at as soon as a worker comes to it; how many that concerns."""
    mine = Patch.objects.filter(project=project, pk=patch_id, state=State.CONFIRMED)
    return mine.update(watch_due_at=clock.now())


def push_again(project: Project, patch: Patch, actor: User) -> Patch | None:
    """Push our values again under the drifted keys that no newer patch of ours has set.

    None when there is nothing to push: somebody did it already, or the drift has ended.
    """
    with transaction.atomic():
        held = merge.lock_trace(project, patch.trace_id)
        row = Patch.objects.filter(project=project, pk=patch.pk, drifted_at__isnull=False).first()
        if row is None or not _settle(row, drift="{}"):
            return None
        keys = _newest([row])[row.pk] & _read(row.drift).keys()
        values = {key: value for key, value in row.values.items() if key in keys}
        if not values:
            return None
        new = outbox.put(project, row.trace_id, values, source=f"{row.source}, ours again by {actor.username}"[:160])
        merge.apply_patch(project, held, values, patch_id=new.pk)
        record(project, actor, "pushed ours again", f"delivery:{row.pk}", keys=sorted(values), by=new.pk)
        return new


def keep_laminar_values(project: Project, patch: Patch, actor: User) -> bool:
    """Let Laminar's values be: the same ones are no drift any more, others would be. False when there is none."""
    with transaction.atomic():
        row = Patch.objects.filter(project=project, pk=patch.pk, drifted_at__isnull=False).first()
        if row is None or not _settle(row):
            return False
        keys = sorted(_read(row.drift))
        _note(row, 0, None, f"{actor.username} left Laminar's values as they are: {', '.join(keys)}.")
        record(project, actor, "left theirs", f"delivery:{row.pk}", keys=keys)
        return True


def _newest(patches: Sequence[Patch]) -> dict[int, set[str]]:
    """For each patch the keys that no newer patch of ours has set; what was withdrawn or replaced sets nothing."""
    newer = Patch.objects.filter(
        project__in={patch.project_id for patch in patches}, trace_id__in={patch.trace_id for patch in patches}
    ).exclude(state=State.SUPERSEDED)
    later: dict[tuple[int, UUID], list[tuple[int, str]]] = {}
    for pk, project_id, trace_id, text in newer.values_list("pk", "project_id", "trace_id", "metadata"):
        later.setdefault((project_id, trace_id), []).append((pk, text))
    return {patch.pk: patch.values.keys() - _since(patch, later) for patch in patches}


def _since(patch: Patch, later: Mapping[tuple[int, UUID], Sequence[tuple[int, str]]]) -> set[str]:
    texts = [text for pk, text in later.get((patch.project_id, patch.trace_id), []) if pk > patch.pk]
    return {key for text in texts for key in canonical_json.raw_members(text)}


def _members(text: str | None) -> dict[str, str] | None:
    """The members of a metadata text from Laminar; None where there is none, or it cannot be read."""
    found = merge.parse_members(text or "")
    return found if found or text == "{}" else None


def _differing(patch: Patch, keys: Collection[str], there: Mapping[str, str]) -> Theirs:
    """Of these keys those that do not have the patch's value there."""
    values = patch.values
    return {key: there.get(key) for key in keys if key not in there or not stands(there[key], values[key])}


def _plan(patches: Sequence[Patch]) -> None:
    """Plan the next looks of patches that were taken together and are as they were."""
    if not patches:
        return
    # Who asked for a look meanwhile gets one.
    as_taken = Patch.objects.filter(watch_due_at=patches[0].watch_due_at)
    now = clock.now()
    for patch in patches:
        patch.watches += 1
        patch.watch_due_at = schedule.next_drift_check(patch.confirmed_at or now, now)
    as_taken.bulk_update(patches, ["watches", "watch_due_at"], batch_size=100)


def _change(patch: Patch, there: Mapping[str, str], seconds: float) -> None:
    """Write what has changed in Laminar, also in the mirror, unless somebody else has looked since."""
    with transaction.atomic():
        held = merge.lock_trace(patch.project, patch.trace_id)
        # Asked again now that no newer patch can come: what a person has saved meanwhile is not undone in the mirror.
        keys = _newest([patch])[patch.pk]
        theirs = _differing(patch, keys, there)
        row = Patch.objects.select_for_update().filter(pk=patch.pk, watch_due_at=patch.watch_due_at).first()
        if row is None:
            return
        now = clock.now()
        # What a person has let be is no drift again because another key came or went.
        left = _read(row.drift).items() if row.drifted_at is None else set()
        row.drift, row.drifted_at = _spelled(theirs), now if theirs.items() - left else None
        row.watches, row.watch_due_at = row.watches + 1, schedule.next_drift_check(patch.confirmed_at or now, now)
        row.save(update_fields=["drift", "drifted_at", "watches", "watch_due_at"])
        _note(patch, seconds, 200, _told(theirs))
        merge.apply_laminar_values(patch.project, held, {key: there.get(key) for key in keys})


def _settle(row: Patch, **changes: str) -> bool:
    """Take the mark of a drift away; False when another did, or when it is another drift by now."""
    return bool(Patch.objects.filter(pk=row.pk, drifted_at=row.drifted_at).update(drifted_at=None, **changes))


def _told(theirs: Theirs) -> str:
    if not theirs:
        return "Laminar no longer has other values than ours."
    gone = [key for key, raw in sorted(theirs.items()) if raw is None]
    other = [key for key, raw in sorted(theirs.items()) if raw is not None]
    said = f"Laminar holds another value under {', '.join(other)}. " if other else ""
    said += f"Laminar has no {', '.join(gone)} any more. " if gone else ""
    return f"{said}Somebody else changed it after us."


def _spelled(theirs: Theirs) -> str:
    return merge.dump_members({key: f"[{raw or ''}]" for key, raw in sorted(theirs.items())})


def _read(drift: str) -> Theirs:
    return {key: raw[1:-1] or None for key, raw in canonical_json.raw_members(drift).items()}


def _note(patch: Patch, seconds: float, status: int | None, outcome: str) -> None:
    Attempt.objects.create(
        patch=patch, act=Attempt.Act.READ, at=clock.now(), seconds=seconds, status=status, outcome=outcome[:600]
    )
