"""Assign items of a queue to people: by name, or to those of the queue by weight.

A change is planned first: the plan is its preview. It is planned again when it is applied, under the queue's lock.
"""

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from django.db import transaction
from django.db.models import Count

from reviewapp.accounts.models import Membership, Role, User
from reviewapp.audit.recording import record
from reviewapp.lib.batches import batched
from reviewapp.queues import assignments
from reviewapp.queues.models import ItemState, Queue, QueueItem, Skip
from reviewapp.queues.models.assignment import Assignment, QueueReviewer

# Items of one change.
MAX_ITEMS = 10_000


class Change(StrEnum):
    """What a lead does with the chosen items."""

    ASSIGN = "assign"
    SPREAD = "spread"
    REASSIGN = "reassign"
    UNASSIGN = "unassign"
    RELEASE = "release"


NOT_PENDING = "already completed or skipped"
HAS_REVIEWED = "this person has reviewed them"
IS_ASSIGNED = "already assigned to this person"
HAS_SKIPPED = "this person left them for someone else"
IS_FULL = "already assigned to as many people as review an item"
NO_PERSON_LEFT = "nobody of the queue's people can review them"
NOT_ASSIGNED = "not assigned to anybody"
NOT_CLAIMED = "nobody has them open"


@dataclass(slots=True)
class Plan:
    """What a change would do: assignments to make, move and end, claims to end, and items refused, by reason.

    `new` are pairs of item and user, `moved` maps assignments to users, all by primary key. `unknown` are the numbers
    that belong to no item of the queue.
    """

    new: list[tuple[int, int]] = field(default_factory=list)
    moved: dict[int, int] = field(default_factory=dict)
    ended: list[int] = field(default_factory=list)
    released: list[int] = field(default_factory=list)
    refused: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    unknown: list[int] = field(default_factory=list)
    changed: set[int] = field(default_factory=set)

    @property
    def counts(self) -> list[tuple[int, str]]:
        """How many assignments and claims change, each with what happens to them."""
        counts = (
            (len(self.new), "assigned"), (len(self.moved), "moved to this person"), (len(self.ended), "unassigned"),
            (len(self.released), "closed for whoever has them open"),
        )  # fmt: skip
        return [(count, text) for count, text in counts if count]


def plan(queue: Queue, pks: Collection[int], change: Change, person: User | None = None) -> Plan:
    """Plan a change of these items. `person` is needed to assign and to reassign."""
    result = Plan()
    items = _load_items(queue, pks)
    result.unknown = sorted(set(pks) - {item.pk for item in items})
    pending = [item for item in items if item.state == ItemState.PENDING]
    result.refused[NOT_PENDING] += [item.pk for item in items if item.state != ItemState.PENDING]
    if change is Change.RELEASE:
        for item in pending:
            (result.released if item.is_claimed else result.refused[NOT_CLAIMED]).append(item.pk)
    else:
        _plan_people(result, queue, pending, change, person)
    result.changed = {item_pk for item_pk, _ in result.new} | set(result.released) | result.changed
    return result


def apply(queue: Queue, pks: Collection[int], change: Change, actor: User, person: User | None = None) -> Plan:
    """Apply a change and return what it did."""
    with transaction.atomic():
        # Serialise the assignments of a queue.
        locked = Queue.objects.select_for_update(no_key=True).get(pk=queue.pk)
        result = plan(locked, pks, change, person)
        _write(result, queue, actor)
        if result.changed:
            record(
                queue.project, actor, "changed assignments", f"queue:{queue.slug}",
                change=change.value, person=person.username if person else "", items=len(result.changed),
            )  # fmt: skip
    return result


def assign_new(queue: Queue, pks: Sequence[int]) -> None:
    """Assign items that were just added to the queue's people. Call it under the queue's lock."""
    _write(plan(queue, pks, Change.SPREAD), queue, None)


def list_people(queue: Queue) -> dict[int, int]:
    """The weights of the people that items are spread over, by user: those named, else the project's reviewers."""
    members = Membership.objects.filter(project=queue.project_id, is_active=True, user__is_active=True)
    named = QueueReviewer.objects.filter(queue=queue, user__in=members.values("user"))
    if weights := dict(named.values_list("user", "weight")):
        return weights
    return dict.fromkeys(members.filter(role=Role.REVIEWER).values_list("user", flat=True), 1)


def _load_items(queue: Queue, pks: Collection[int]) -> list[QueueItem]:
    """The queue's items among these, in the queue's order."""
    items = [
        item for batch in batched(sorted(set(pks))) for item in QueueItem.objects.filter(queue=queue, pk__in=batch)
    ]
    return sorted(items, key=lambda item: (-item.priority, item.pk))


@dataclass(slots=True)
class _Seats:
    """Who cannot be assigned an item, by item: reviewers and those who skipped it; and its open assignments."""

    reviewers: Mapping[int, set[int]]
    skippers: Mapping[int, set[int]]
    open_rows: Mapping[int, list[Assignment]]

    @classmethod
    def load(cls, items: Sequence[QueueItem]) -> "_Seats":
        reviewers, skippers = defaultdict[int, set[int]](set), defaultdict[int, set[int]](set)
        open_rows = defaultdict[int, list[Assignment]](list)
        for batch in batched([item.pk for item in items if item.version]):
            reviewed = QueueItem.objects.filter(pk__in=batch, reviews__is_latest=True)
            for pk, user in reviewed.values_list("pk", "reviews__reviewer"):
                reviewers[pk].add(user)
        for batch in batched([item.pk for item in items]):
            skips = Skip.objects.filter(item__in=batch).exclude(kind=Skip.Kind.LATER)
            for pk, user in skips.values_list("item", "user"):
                skippers[pk].add(user)
        for batch in batched([item.pk for item in items if item.assigned_count]):
            for row in Assignment.objects.filter(item__in=batch, done_at=None).order_by("pk"):
                open_rows[row.item_id].append(row)
        return cls(reviewers, skippers, open_rows)

    def find_refusal(self, item: QueueItem, user: int) -> str:
        """Why this person cannot be assigned the item; empty if they can."""
        if any(row.user_id == user for row in self.open_rows.get(item.pk, ())):
            return IS_ASSIGNED
        if user in self.reviewers.get(item.pk, ()):
            return HAS_REVIEWED
        return HAS_SKIPPED if user in self.skippers.get(item.pk, ()) else ""


def _plan_people(result: Plan, queue: Queue, items: list[QueueItem], change: Change, person: User | None) -> None:
    seats = _Seats.load(items)
    if change is Change.SPREAD:
        _plan_spread(result, queue, items, seats)
        return
    for item in items:
        if change is Change.UNASSIGN:
            _plan_unassign(result, item, seats)
        elif change is Change.REASSIGN and person is not None:
            _plan_reassign(result, item, seats, person.pk)
        elif person is not None:
            refusal = seats.find_refusal(item, person.pk) or ("" if _count_free(queue, item) > 0 else IS_FULL)
            if refusal:
                result.refused[refusal].append(item.pk)
            else:
                result.new.append((item.pk, person.pk))


def _plan_unassign(result: Plan, item: QueueItem, seats: _Seats) -> None:
    if rows := seats.open_rows.get(item.pk):
        result.ended += [row.pk for row in rows]
        result.changed.add(item.pk)
    else:
        result.refused[NOT_ASSIGNED].append(item.pk)


def _plan_reassign(result: Plan, item: QueueItem, seats: _Seats, person: int) -> None:
    """Give the item to this person only: move one open assignment to them, sent back ones first, and end the others."""
    rows = sorted(seats.open_rows.get(item.pk, ()), key=lambda row: row.kind != Assignment.Kind.SENT_BACK)
    own = [row for row in rows if row.user_id == person]
    is_sent_back = any(row.kind == Assignment.Kind.SENT_BACK for row in rows)
    refusal = seats.find_refusal(item, person)
    if refusal == HAS_REVIEWED and is_sent_back:
        refusal = ""
    if own and len(rows) == 1:
        result.refused[IS_ASSIGNED].append(item.pk)
        return
    if not own and refusal:
        result.refused[refusal].append(item.pk)
        return
    kept = own[:1] or rows[:1]
    if not kept:
        result.new.append((item.pk, person))
    elif not own:
        result.moved[kept[0].pk] = person
    result.ended += [row.pk for row in rows if row not in kept]
    if item.is_claimed and item.claimed_by_id != person:
        result.released.append(item.pk)
    result.changed.add(item.pk)


def _plan_spread(result: Plan, queue: Queue, items: Iterable[QueueItem], seats: _Seats) -> None:
    """Assign each item to those with the least open work for their weight; of equal ones, to who was added first."""
    weights = list_people(queue)
    load = dict.fromkeys(weights, 0) | _count_open_by_person(queue, weights)
    heap = [((load[user] + 1) / weight, user, load[user]) for user, weight in weights.items()]
    heapq.heapify(heap)
    for item in items:
        free = _count_free(queue, item)
        if free <= 0:
            result.refused[IS_FULL].append(item.pk)
            continue
        passed, chosen = [], 0
        while heap and chosen < free:
            entry = heapq.heappop(heap)
            _, user, count = entry
            if seats.find_refusal(item, user):
                passed.append(entry)
                continue
            chosen += 1
            result.new.append((item.pk, user))
            passed.append(((count + 2) / weights[user], user, count + 1))
        for entry in passed:
            heapq.heappush(heap, entry)
        if not chosen:
            result.refused[NO_PERSON_LEFT].append(item.pk)


def _count_free(queue: Queue, item: QueueItem) -> int:
    """How many more people can be assigned the item."""
    return (item.reviews_required or queue.reviewers_per_item) - item.review_count - item.assigned_count


def _count_open_by_person(queue: Queue, users: Collection[int]) -> dict[int, int]:
    rows = Assignment.objects.filter(queue=queue, done_at=None, user__in=list(users)).order_by()
    return dict(rows.values_list("user").annotate(Count("pk")))


def _write(result: Plan, queue: Queue, actor: User | None) -> None:
    for user in sorted(set(result.moved.values())):
        pks = [pk for pk, new_user in result.moved.items() if new_user == user]
        for batch in batched(pks):
            Assignment.objects.filter(pk__in=batch, done_at=None).update(user=user)
    for batch in batched(result.ended):
        Assignment.objects.filter(pk__in=batch, done_at=None).delete()
    rows = [Assignment(item_id=item, queue=queue, user_id=user, by=actor) for item, user in result.new]
    Assignment.objects.bulk_create(rows, batch_size=200, ignore_conflicts=True)
    assignments.count_open(result.changed)
    for batch in batched(result.released):
        QueueItem.objects.filter(pk__in=batch).update(claimed_by=None, claimed_until=None)
