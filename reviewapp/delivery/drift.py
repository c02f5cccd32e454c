"""Check whether Laminar still has the values that were confirmed, and apply what a person decides if it does not."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction

from reviewapp.accounts.models import Project, User
from reviewapp.audit.recording import record
from reviewapp.delivery import outbox, schedule
from reviewapp.delivery.confirmation import BATCH_SIZE, READBACK_LEASE, is_same_value
from reviewapp.delivery.models import Attempt, Breaker, Patch, State
from reviewapp.keys.models import LaminarKey
from reviewapp.lib import clock
from reviewapp.lib.shortening import shorten
from reviewapp.traces.metadata import merge, pairs

# After a failed check, all of the project's checks wait this long: pushes and read-backs are more useful.
RETRY_DELAY = timedelta(minutes=1)
# How long a trace without a readable response waits.
UNREADABLE_DELAY = timedelta(hours=1)
# How often newer values are pushed again because a delayed push of older ones came after them, before a person decides.
MAX_REPUSHES = 3
# Older patches of a trace whose values are compared.
MAX_OLDER = 50
# Laminar's values under our keys: a JSON text, None if the key does not exist.
LaminarValues = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class DriftedKey:
    """A key with both values as one would type them in a filter; `laminar_value` is None if the key was removed."""

    key: str
    our_value: str
    laminar_value: str | None


def select_due(busy: Collection[int] = ()) -> list[Patch]:
    """Claim confirmed patches that are due for a drift check.

    Skips projects that are `busy`, have an open breaker or have no full key. The claim sets their `watch_due_at`: only
    the worker that holds this value records the result.
    """
    now = clock.now()
    blocked = Breaker.objects.filter(open_until__gt=now).values("project")
    readable = LaminarKey.objects.filter(retired_at=None, kind=LaminarKey.Kind.FULL).values("project")
    # Exclude projects instead of including them: SQLite would scan all rows of the included ones.
    unreadable = Project.objects.exclude(pk__in=readable).values("pk")
    due = Patch.objects.filter(watch_due_at__lte=now).exclude(project__in=unreadable)
    due = due.exclude(project__in=busy).exclude(project__in=blocked).order_by("watch_due_at", "pk")
    if not due.exists():
        return []
    with transaction.atomic():
        patches = list(due.select_related("project").select_for_update(skip_locked=True, of=("self",))[:BATCH_SIZE])
        Patch.objects.filter(pk__in=[patch.pk for patch in patches]).update(watch_due_at=now + READBACK_LEASE)
    for patch in patches:
        patch.watch_due_at = now + READBACK_LEASE
    return patches


def reschedule(patches: Sequence[Patch], delay: timedelta = RETRY_DELAY) -> None:
    """Delay the checks of these patches: the active key cannot read."""
    # A check that someone requested in the meantime is still made.
    claimed = Patch.objects.filter(watch_due_at__in={patch.watch_due_at for patch in patches})
    claimed.filter(pk__in=[patch.pk for patch in patches]).update(watch_due_at=clock.now() + delay)


def reschedule_failed(project: Project, patches: Sequence[Patch], error: str) -> None:
    """Delay all of the project's checks after a failed one, which says nothing about the values."""
    reschedule(patches)
    now = clock.now()
    Patch.objects.filter(project=project, watch_due_at__lte=now).update(watch_due_at=now + RETRY_DELAY)


def reschedule_unreadable(patch: Patch, error: str) -> None:
    """Delay a patch whose trace alone makes Laminar's response too large or too slow to read."""
    reschedule([patch], UNREADABLE_DELAY)


def record_internal_error(patch: Patch) -> None:
    """Delay a patch whose check cannot be recorded."""
    reschedule([patch], UNREADABLE_DELAY)


def record_readback(patches: Sequence[Patch], metadata_by_trace: Mapping[UUID, str], seconds: float) -> None:
    """Record which of these patches drifted, or no longer do, by the traces' metadata texts; schedule the next checks.

    A trace that Laminar does not show says nothing about its values.
    """
    current_keys = _find_current_keys(patches)
    unchanged = []
    for patch in patches:
        members = _parse_members(metadata_by_trace.get(patch.trace_id))
        if members is None or _dump_drift(_find_differences(patch, current_keys[patch.pk], members)) == patch.drift:
            unchanged.append(patch)
        else:
            _record_change(patch, members, seconds)
    _schedule_next_checks(unchanged)


def find_drifted_keys(patch: Patch) -> list[DriftedKey]:
    """The keys that someone else has changed, with both values, sorted by key."""
    our_values = patch.raw_values
    return [
        DriftedKey(key, pairs.display_value(our_values[key]), None if raw is None else pairs.display_value(raw))
        for key, raw in sorted(_load_drift(patch.drift).items())
        if key in our_values
    ]


def check_now(project: Project, patch_id: int) -> int:
    """Make a confirmed patch due for a check. Returns the number of rows changed."""
    confirmed = Patch.objects.filter(project=project, pk=patch_id, state=State.CONFIRMED)
    return confirmed.update(watch_due_at=clock.now())


def push_again(project: Project, patch: Patch, actor: User) -> Patch | None:
    """Push our values of the drifted keys again, except those that a newer patch of ours has set.

    None if there is nothing to push: someone else has done it, or the drift has ended.
    """
    with transaction.atomic():
        locked_trace = merge.lock_trace(project, patch.trace_id)
        row = Patch.objects.filter(project=project, pk=patch.pk, drifted_at__isnull=False).first()
        if row is None or not _clear_drift(row, drift="{}"):
            return None
        keys = _find_current_keys([row])[row.pk] & _load_drift(row.drift).keys()
        values = {key: value for key, value in row.values.items() if key in keys}
        if not values:
            return None
        source = shorten(f"{row.source}, pushed again by {actor.username}", 160)
        new = outbox.put(project, row.trace_id, values, source=source)
        merge.apply_patch(project, locked_trace, values, patch_id=new.pk)
        record(project, actor, "pushed our values again", f"delivery:{row.pk}", keys=sorted(values), by=new.pk)
        return new


def keep_laminar_values(project: Project, patch: Patch, actor: User) -> bool:
    """Accept Laminar's values: these no longer count as drift, different ones would. False if there is no drift."""
    with transaction.atomic():
        row = Patch.objects.filter(project=project, pk=patch.pk, drifted_at__isnull=False).first()
        if row is None or not _clear_drift(row):
            return False
        keys = sorted(_load_drift(row.drift))
        _add_attempt(row, 0, None, f"{actor.username} kept Laminar's values: {', '.join(keys)}.")
        record(project, actor, "kept Laminar's values", f"delivery:{row.pk}", keys=keys)
        return True


def _find_current_keys(patches: Sequence[Patch]) -> dict[int, set[str]]:
    """For each patch, the keys that no newer patch of ours has set; a withdrawn or superseded patch sets nothing."""
    candidates = Patch.objects.filter(
        project__in={patch.project_id for patch in patches}, trace_id__in={patch.trace_id for patch in patches}
    ).exclude(state=State.SUPERSEDED)
    by_trace: dict[tuple[int, UUID], list[Patch]] = {}
    for candidate in candidates.only("project_id", "trace_id", "metadata"):
        by_trace.setdefault((candidate.project_id, candidate.trace_id), []).append(candidate)
    return {patch.pk: patch.values.keys() - _find_newer_keys(patch, by_trace) for patch in patches}


def _find_newer_keys(patch: Patch, by_trace: Mapping[tuple[int, UUID], Sequence[Patch]]) -> set[str]:
    newer = [other for other in by_trace.get((patch.project_id, patch.trace_id), []) if other.pk > patch.pk]
    return {key for other in newer for key in other.values}


def _parse_members(text: str | None) -> dict[str, str] | None:
    """The members of a metadata text from Laminar; None if there is no text or it cannot be read."""
    members = merge.parse_members(text or "")
    return members if members or text == "{}" else None


def _find_differences(patch: Patch, keys: Collection[str], members: Mapping[str, str]) -> LaminarValues:
    """Laminar's values of those keys that do not have the patch's value."""
    values = patch.values
    return {key: members.get(key) for key in keys if key not in members or not is_same_value(members[key], values[key])}


def _schedule_next_checks(patches: Sequence[Patch]) -> None:
    """Schedule the next checks of patches that were claimed together and have not changed."""
    if not patches:
        return
    # A check that someone requested in the meantime is still made.
    claimed = Patch.objects.filter(watch_due_at=patches[0].watch_due_at)
    now = clock.now()
    for patch in patches:
        patch.watches += 1
        patch.watch_due_at = schedule.next_drift_check(patch.confirmed_at or now, now)
    claimed.bulk_update(patches, ["watches", "watch_due_at"], batch_size=100)


def _record_change(patch: Patch, members: Mapping[str, str], seconds: float) -> None:
    """Record what has changed in Laminar, in the mirror too, unless another check came first."""
    with transaction.atomic():
        locked_trace = merge.lock_trace(patch.project, patch.trace_id)
        # Query again with the trace locked, so that a value saved in the meantime is not overwritten in the mirror.
        keys = _find_current_keys([patch])[patch.pk]
        laminar_values = _find_differences(patch, keys, members)
        row = Patch.objects.select_for_update().filter(pk=patch.pk, watch_due_at=patch.watch_due_at).first()
        if row is None:
            return
        now = clock.now()
        # Values that a person chose to keep do not become drift again because another key changed.
        ignored = _load_drift(row.drift).items() if row.drifted_at is None else set()
        if _is_late_push(row, dict(laminar_values.items() - ignored)):
            _push_newest_again(row, laminar_values.keys() - dict(ignored).keys(), locked_trace, seconds)
            return
        row.drift, row.drifted_at = _dump_drift(laminar_values), now if laminar_values.items() - ignored else None
        row.watches, row.watch_due_at = row.watches + 1, schedule.next_drift_check(patch.confirmed_at or now, now)
        row.save(update_fields=["drift", "drifted_at", "watches", "watch_due_at"])
        _add_attempt(patch, seconds, 200, _describe_drift(laminar_values))
        merge.apply_laminar_values(patch.project, locked_trace, {key: members.get(key) for key in keys})


def _is_late_push(row: Patch, laminar_values: LaminarValues) -> bool:
    """Whether Laminar has nothing but older values of ours: a push that was delayed came after this one."""
    if not laminar_values or row.repushes >= MAX_REPUSHES:
        return False
    older = Patch.objects.filter(project=row.project_id, trace_id=row.trace_id, pk__lt=row.pk, lease__gt=0)
    older_values = [patch.values for patch in older.order_by("-pk")[:MAX_OLDER]]
    return all(
        raw is not None and any(key in values and is_same_value(raw, values[key]) for values in older_values)
        for key, raw in laminar_values.items()
    )


def _push_newest_again(row: Patch, keys: Collection[str], locked_trace: merge.LockedTrace, seconds: float) -> None:
    """Put the row's values of these keys into the outbox again; Laminar's are not ones that anybody chose."""
    values = {key: value for key, value in row.values.items() if key in keys}
    new = outbox.put(row.project, row.trace_id, values, source=shorten(f"{row.source}, pushed again", 160))
    merge.apply_patch(row.project, locked_trace, values, patch_id=new.pk)
    Patch.objects.filter(pk__in=[row.pk, new.pk]).update(repushes=row.repushes + 1)
    row.drift, row.drifted_at, row.watch_due_at = "{}", None, None
    row.save(update_fields=["drift", "drifted_at", "watch_due_at"])
    _add_attempt(
        row, seconds, 200,
        f"Laminar has an older value of ours for {', '.join(sorted(values))}: a delayed push came after this one."
        f" Our newest values are pushed again as delivery {new.pk}.",
    )  # fmt: skip
    record(row.project, "worker", "pushed our values again", f"delivery:{row.pk}", keys=sorted(values), by=new.pk)


def _clear_drift(row: Patch, **changes: str) -> bool:
    """Clear the drift flag. False if it was cleared already, or the drift is another one by now."""
    return bool(Patch.objects.filter(pk=row.pk, drifted_at=row.drifted_at).update(drifted_at=None, **changes))


def _describe_drift(laminar_values: LaminarValues) -> str:
    if not laminar_values:
        return "Laminar has our values again."
    removed = [key for key, raw in sorted(laminar_values.items()) if raw is None]
    changed = [key for key, raw in sorted(laminar_values.items()) if raw is not None]
    text = f"Laminar has a different value for {', '.join(changed)}. " if changed else ""
    text += f"Laminar no longer has {', '.join(removed)}. " if removed else ""
    return f"{text}Someone else changed it after our push."


def _dump_drift(laminar_values: LaminarValues) -> str:
    return merge.dump_members({key: f"[{raw or ''}]" for key, raw in sorted(laminar_values.items())})


def _load_drift(drift: str) -> LaminarValues:
    return {key: raw[1:-1] or None for key, raw in merge.parse_members(drift).items()}


def _add_attempt(patch: Patch, seconds: float, status: int | None, outcome: str) -> None:
    Attempt.objects.create(
        patch=patch, act=Attempt.Act.READ, at=clock.now(), seconds=seconds, status=status, outcome=shorten(outcome, 600)
    )
