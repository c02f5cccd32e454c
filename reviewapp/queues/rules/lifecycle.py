"""Create, update, switch and delete rules."""

from collections.abc import Sequence

from django.db import transaction

from reviewapp.accounts.models import User
from reviewapp.audit.recording import get_actor_name, record
from reviewapp.lib import clock
from reviewapp.queues.models import Rule

# The fields of a rule that a lead can edit, and that the audit log records.
EDITABLE_FIELDS = ("name", "pairs", "percent", "rest_percent", "daily_cap", "priority")


def create_rule(rule: Rule, actor: User | str) -> None:
    """Save a new, validated rule; the worker applies it from now on."""
    with transaction.atomic():
        rule.made_by = get_actor_name(actor)
        rule.save(force_insert=True)
        _record(rule, actor, "created rule", EDITABLE_FIELDS)


def update_rule(rule: Rule, actor: User | str, changed: Sequence[str]) -> None:
    """Save the changed fields of a validated rule. They apply to the traces it scans from now on."""
    with transaction.atomic():
        # Not the whole row: a worker may be updating its scan position and its counts.
        rule.save(update_fields=list(changed))
        _record(rule, actor, "changed rule", changed)


def switch_rule(rule: Rule, actor: User | str, *, is_on: bool) -> bool:
    """Turn a rule on, starting now, or off; False if nothing changes.

    A rule that is turned on again passes over the traces that arrived while it was off.
    """
    now = clock.now()
    reset = {"scanned_until": now, "scanned_pk": 0, "active_since": now, "fault": "", "retry_at": None} if is_on else {}
    with transaction.atomic():
        if not Rule.objects.filter(pk=rule.pk, is_on=not is_on).update(is_on=is_on, **reset):
            return False
        _record(rule, actor, "turned on rule" if is_on else "turned off rule")
    return True


def delete_rule(rule: Rule, actor: User | str) -> None:
    """Delete a rule. The items it added stay in the queue and keep their reason."""
    with transaction.atomic():
        # Lock the row first, so that a worker that is applying the rule finishes.
        stored = Rule.objects.select_for_update().filter(pk=rule.pk).first()
        if stored is not None:
            stored.delete()
            _record(rule, actor, "deleted rule")


def _record(rule: Rule, actor: User | str, verb: str, fields: Sequence[str] = ()) -> None:
    detail = {name: str(value) for name in fields if (value := getattr(rule, name)) is not None}
    record(rule.queue.project, actor, verb, f"queue:{rule.queue.slug}", **{"name": rule.name, **detail})
