"""Comments on items with mentions, and the inbox."""

from decimal import Decimal

import pytest
from django.test import Client

from reviewapp.accounts.models import Membership, Project, User
from reviewapp.queues import claiming
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.queues.models.discussion import Comment, Notification
from reviewapp.reviews import sending_back
from reviewapp.reviews.commenting import add_comment
from reviewapp.reviews.pushing import Answers
from reviewapp.reviews.submitting import submit
from reviewapp.reviews.visibility import select_visible_comments
from tests.factories import QueueFactory, QueueItemFactory
from tests.queries import count_queries

GOOD = Answers(Decimal(1), "", needs_review=False)
INBOX = "/p/support/inbox/"


def load(item: QueueItem) -> QueueItem:
    return QueueItem.objects.select_related("queue__project").get(pk=item.pk)


def url(item: QueueItem) -> str:
    return f"/p/support/items/{item.pk}/comments/"


def test_it_tells_whom_a_comment_mentions(item: QueueItem, reviewer: User, lead: User, colleague: User) -> None:
    _, unknown = add_comment(load(item), lead, "@reviewer, see @colleague. And @nobody? mail@lead.example @lead")
    assert unknown == ["nobody"]
    recipients = Notification.objects.order_by("user__username").values_list("user__username", flat=True)
    assert list(recipients) == ["colleague", "reviewer"]
    assert Membership.objects.get(user=reviewer).inbox_count == 1
    assert load(item).comment_count == 1


def test_it_shows_the_mention_in_the_inbox(
    item: QueueItem, reviewer: User, lead: User, reviewer_client: Client
) -> None:
    claiming.claim(load(item), reviewer)
    add_comment(load(item), lead, "<b>@reviewer</b> look here")
    page = reviewer_client.get(INBOX).text
    assert "&lt;b&gt;@reviewer&lt;/b&gt; look here" in page
    assert 'Inbox <b class="look">1</b>' in " ".join(page.split())
    reviewer_client.post(INBOX, {"entry": Notification.objects.get().pk})
    assert Membership.objects.get(user=reviewer).inbox_count == 0


def test_it_shows_nobody_else_s_inbox(item: QueueItem, reviewer: User, lead: User, colleague_client: Client) -> None:
    add_comment(load(item), lead, "@reviewer secret words")
    assert "secret words" not in colleague_client.get(INBOX).text
    colleague_client.post(INBOX, {"entry": Notification.objects.get().pk})
    assert Notification.objects.get().read_at is None


def test_it_hides_comments_before_one_has_answered(
    project: Project, reviewer: User, colleague: User, lead: User, colleague_client: Client
) -> None:
    item = QueueItemFactory.create(queue=QueueFactory.create(project=project, slug="double", reviewers_per_item=2))
    submit(load(item), reviewer, GOOD, version=0)
    add_comment(load(item), reviewer, "It is clearly right, @colleague.")
    claiming.claim(load(item), colleague)
    add_comment(load(item), colleague, "Just a moment.")
    for address in (url(item), INBOX, f"/p/support/items/{item.pk}/"):
        assert "clearly right" not in colleague_client.get(address).text
    assert "Just a moment." in colleague_client.get(url(item)).text
    assert select_visible_comments(load(item), lead).count() == 2
    submit(load(item), colleague, GOOD, version=0)
    assert "clearly right" in colleague_client.get(url(item)).text
    assert "clearly right" in colleague_client.get(INBOX).text


def test_it_is_for_leads_and_the_item_s_reviewers(
    item: QueueItem, reviewer: User, lead: User, colleague_client: Client, reviewer_client: Client
) -> None:
    submit(load(item), reviewer, GOOD, version=0)
    add_comment(load(item), lead, "between us")
    assert "between us" in reviewer_client.get(url(item)).text
    assert "between us" not in colleague_client.get(url(item)).text
    assert colleague_client.post(url(item), {"text": "me too"}).status_code == 403


@pytest.mark.parametrize("text", ["", "   ", "a\0b", "a" * 4_001], ids=["empty", "blank", "nul", "long"])
def test_it_refuses_an_invalid_comment(item: QueueItem, lead_client: Client, text: str) -> None:
    response = lead_client.post(url(item), {"text": text})
    assert response.status_code == 422
    assert "Not saved." in response.text
    assert not Comment.objects.exists()


def test_it_says_who_is_nobody(item: QueueItem, lead_client: Client) -> None:
    page = lead_client.post(url(item), {"text": "@bob look"}, follow=True).text
    assert "Nobody in this project is called @bob" in page


def test_it_shows_the_fix_to_who_sent_it_back(
    item: QueueItem, reviewer: User, lead: User, lead_client: Client, reviewer_client: Client
) -> None:
    review = submit(load(item), reviewer, GOOD, version=0)
    review.item = load(item)
    sending_back.send_back(review.item.queue.project, [review], lead, "Sure?")
    assert "sent an item back to you" in reviewer_client.get(INBOX).text
    fix = submit(load(item), reviewer, Answers(Decimal(0), "", needs_review=False), version=1)
    assert f"/p/support/reviews/{fix.pk}/revisions/" in lead_client.get(INBOX).text


def test_it_needs_no_query_for_the_count(
    queue: Queue, item: QueueItem, reviewer: User, lead: User, reviewer_client: Client
) -> None:
    board = "/p/support/queues/answers/"
    query_count = count_queries(lambda: reviewer_client.get(board))
    add_comment(load(item), lead, "@reviewer")
    assert count_queries(lambda: reviewer_client.get(board)) == query_count
