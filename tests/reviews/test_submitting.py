"""Submitting: one transaction saves everything, without Laminar."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from reviewapp.accounts.models import User
from reviewapp.audit.models import AuditEvent
from reviewapp.delivery.models import Patch, State
from reviewapp.lib import canonical_json
from reviewapp.queues.models import ItemState, Queue, QueueItem
from reviewapp.reviews import drafts
from reviewapp.reviews.models import Review
from reviewapp.reviews.pushing import Answers
from reviewapp.reviews.submitting import StaleReviewError, submit
from reviewapp.traces.metadata.index import matching
from reviewapp.traces.models import Trace
from tests.factories import QueueItemFactory, TraceFactory

GOOD = Answers(Decimal("0.8"), "Right.", needs_review=True)
BAD = Answers(Decimal(0), "", needs_review=False)


def pushed_values(item: QueueItem) -> dict[str, object]:
    patch = Patch.objects.filter(trace_id=item.trace_id).latest("pk")
    return patch.values


def test_it_completes_the_item(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    item.refresh_from_db()
    assert (item.state, item.version, item.claimed_by_id) == (ItemState.COMPLETED, 1, None)
    assert item.completed_at is not None


def test_it_puts_every_key_of_the_queue_into_the_outbox(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    assert pushed_values(item) == {
        "score": 0.8,
        "notes": "Right.",
        "needs_review": True,
        "reviewer": "reviewer",
        "review_rev": 1,
    }


def test_it_pushes_a_whole_score_as_an_integer(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, Answers(Decimal("1.0000"), "", needs_review=False), version=0)
    assert '"score":1}' in Patch.objects.get().metadata


def test_it_pushes_a_cleared_answer_as_null(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    submit(item, reviewer, Answers(None, "", needs_review=False), version=1)
    assert [pushed_values(item)[key] for key in ("score", "notes", "review_rev")] == [None, None, 2]


def test_it_does_not_push_notes_when_the_queue_keeps_them(item: QueueItem, reviewer: User) -> None:
    Queue.objects.update(keeps_notes_here=True)
    item.queue.refresh_from_db()
    review = submit(item, reviewer, GOOD, version=0)
    assert "notes" not in pushed_values(item)
    assert review.notes == "Right."


def test_it_uses_the_key_names_of_the_queue(item: QueueItem, reviewer: User) -> None:
    item.queue.key_prefix, item.queue.score_key = "qa.", "grade"
    submit(item, reviewer, GOOD, version=0)
    assert set(pushed_values(item)) == {"qa.grade", "qa.notes", "qa.needs_review", "qa.reviewer", "qa.review_rev"}


def test_it_updates_the_metadata_index_at_once(item: QueueItem, reviewer: User) -> None:
    TraceFactory.create(project=item.queue.project, trace_id=item.trace_id, metadata='{"environment":"production"}')
    submit(item, reviewer, GOOD, version=0)
    traces = matching(item.queue.project, [("needs_review", "true"), ("environment", "production")])
    assert traces.count() == 1


def test_it_saves_a_review_of_a_trace_that_is_not_pulled_yet(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    assert '"needs_review":true' in Trace.objects.get(trace_id=item.trace_id).metadata


def test_it_adds_a_revision_to_a_reviewed_item(item: QueueItem, reviewer: User, colleague: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    submit(item, colleague, BAD, version=1)
    revisions = Review.objects.filter(item=item).order_by("revision").values_list("revision", "is_latest", "score")
    assert list(revisions) == [(1, False, Decimal("0.8")), (2, True, Decimal(0))]


def test_it_adds_no_revision_when_nothing_changed(item: QueueItem, reviewer: User) -> None:
    first = submit(item, reviewer, GOOD, version=0)
    item.refresh_from_db()
    assert submit(item, reviewer, GOOD, version=1) == first
    assert Review.objects.count() == Patch.objects.count() == AuditEvent.objects.count() == 1


def test_it_deletes_the_draft_when_nothing_changed(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    item.refresh_from_db()
    drafts.save_fields(item, reviewer, {"notes": "Right."}, version=1)
    submit(item, reviewer, GOOD, version=1)
    assert drafts.get_draft(item, reviewer) is None


@pytest.mark.parametrize("change", [{"notes": "Wrong."}, {"keeps_notes_here": True}])
def test_it_adds_a_revision_when_something_changed(item: QueueItem, reviewer: User, change: dict[str, Any]) -> None:
    submit(item, reviewer, GOOD, version=0)
    item.refresh_from_db()
    assert submit(item, reviewer, replace(GOOD, **change), version=1).revision == 2


def test_it_adds_a_revision_for_the_same_answers_of_a_colleague(
    item: QueueItem, reviewer: User, colleague: User
) -> None:
    submit(item, reviewer, GOOD, version=0)
    item.refresh_from_db()
    assert submit(item, colleague, GOOD, version=1).reviewer == colleague


def test_it_completes_a_reopened_item_with_the_same_answers(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    QueueItem.objects.update(state=ItemState.PENDING)
    item.refresh_from_db()
    submit(item, reviewer, GOOD, version=1)
    item.refresh_from_db()
    assert (item.state, item.version) == (ItemState.COMPLETED, 2)


def test_it_supersedes_a_waiting_patch(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    submit(item, reviewer, BAD, version=1)
    assert list(Patch.objects.order_by("pk").values_list("state", flat=True)) == [State.SUPERSEDED, State.WAITING]


def test_it_counts_the_revision_key_over_all_queues_of_a_trace(item: QueueItem, reviewer: User, lead: User) -> None:
    other = QueueItemFactory.create(queue__project=item.queue.project, trace_id=item.trace_id)
    submit(item, reviewer, GOOD, version=0)
    submit(other, lead, BAD, version=0)
    assert pushed_values(item)["review_rev"] == 2


def test_it_writes_an_audit_event(item: QueueItem, reviewer: User) -> None:
    submit(item, reviewer, GOOD, version=0)
    event = AuditEvent.objects.get()
    assert (event.actor_name, event.verb, event.target) == ("reviewer", "submitted review", f"item:{item.pk}")


def test_it_returns_the_same_review_when_the_answers_are_sent_again(item: QueueItem, reviewer: User) -> None:
    first = submit(item, reviewer, GOOD, version=0)
    assert submit(item, reviewer, GOOD, version=0) == first
    assert Review.objects.count() == Patch.objects.count() == 1


def test_it_refuses_a_stale_version_and_saves_nothing(item: QueueItem, reviewer: User, colleague: User) -> None:
    submit(item, colleague, GOOD, version=0)
    with pytest.raises(StaleReviewError) as stale:
        submit(item, reviewer, BAD, version=0)
    assert stale.value.latest is not None
    assert stale.value.latest.reviewer == colleague
    assert Review.objects.count() == AuditEvent.objects.count() == 1


def test_it_refuses_a_version_that_never_existed(item: QueueItem, reviewer: User) -> None:
    with pytest.raises(StaleReviewError) as stale:
        submit(item, reviewer, GOOD, version=7)
    assert stale.value.latest is None


def test_it_refuses_a_text_that_cannot_be_pushed_and_saves_nothing(item: QueueItem, reviewer: User) -> None:
    with pytest.raises(canonical_json.InvalidJSONError):
        submit(item, reviewer, Answers(None, "a\x00b", needs_review=False), version=0)
    item.refresh_from_db()
    assert (item.version, Review.objects.count(), Patch.objects.count()) == (0, 0, 0)


def test_it_saves_a_review_after_the_claim_has_ended(item: QueueItem, reviewer: User, colleague: User) -> None:
    QueueItem.objects.filter(pk=item.pk).update(claimed_by=colleague)
    assert submit(item, reviewer, GOOD, version=0).revision == 1


@pytest.mark.django_db(transaction=True)
def test_it_refuses_one_of_two_concurrent_submits(item: QueueItem, reviewer: User, colleague: User) -> None:
    def save(user: User) -> str:
        try:
            submit(QueueItem.objects.select_related("queue__project").get(pk=item.pk), user, GOOD, version=0)
        except StaleReviewError:
            return "refused"
        finally:
            connection.close()
        return "saved"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(save, (reviewer, colleague))) == ["refused", "saved"]
    assert Review.objects.count() == Patch.objects.count() == 1


def test_it_needs_few_queries(item: QueueItem, reviewer: User, django_assert_max_num_queries: object) -> None:
    submit(item, reviewer, GOOD, version=0)
    with django_assert_max_num_queries(19):  # type: ignore[operator]
        submit(item, reviewer, BAD, version=1)
