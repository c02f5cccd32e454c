"""Whatever a second reviewer opens before answering is what it would be without the first one's answer.

Each page is compared with itself before that answer, so that counts, links and headers are compared too.
"""

import difflib
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from django.db import transaction
from django.test import Client

from reviewapp.accounts.models import Project, Role, User
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.queues.rubric.answer_values import build_correction
from reviewapp.queues.rubric.criteria import Criterion, Option, dump_criteria
from reviewapp.reviews.pushing import Answers
from reviewapp.reviews.submitting import submit
from reviewapp.traces.metadata import index
from tests.factories import QueueFactory, QueueItemFactory, SpanFactory, TraceFactory
from tests.routes import PROJECT_ROUTES, make_url_values

WORD = "zebra"
CRITERIA = (
    Criterion("tone", "Tone", "choice", options=(Option("kind"), Option("rude")), asks_reason=True),
    Criterion("faults", "Faults", "choices", options=(Option("late"), Option("wrong"))),
    Criterion("tags", "Tags", "tags"),
    Criterion("better", "Better", "correction"),
    Criterion("fail", "First error", "first_error"),
)
ANSWERS: dict[str, Any] = {
    "tone": "rude", "tone_reason": f"{WORD} reason", "faults": ["wrong"], "tags": [f"{WORD}-tag"],
    "better": build_correction("Paris.", f"{WORD} correction"),
    "fail": {"at": "turn-1", "step": f"{WORD} step", "quote": f"{WORD} quote"},
}  # fmt: skip
SURE = Answers(Decimal("0.37"), f"{WORD} notes", needs_review=True, criterion_answers=ANSWERS)
UNSURE = Answers(None, f"{WORD} notes", needs_review=True, criterion_answers=ANSWERS, is_unsure=True)
QUERIES = [
    "m=score%3D0.37", "m=needs_review%3Dtrue", "m=reviewer%3Dreviewer", f"m=notes%3D{quote(SURE.notes)}",
    "m=tone%3Drude", f"tag={WORD}-tag", f"text={WORD}", "review=none", "review=queued", "review=reviewed",
    "review=flagged", "review=unsure", "reviewer=reviewer", "min_score=0.3&max_score=0.4", "key=notes", "key=tone",
    f"q={WORD}", f"find={WORD}", "q=score", "state=waiting", "state=parked", "show=completed", "columns=notes",
]  # fmt: skip
# The routes that filter, search, count or suggest.
LISTS = ("/traces/", "/traces/export.jsonl", "/offers/")
# What differs between any two responses: tokens, nonces and times.
_NOISE = re.compile(
    r'name="csrfmiddlewaretoken" value="[^"]*"|"X-CSRFToken": ?"[^"]*"|<time[^>]*>.*?</time>|\d{4}-\d\d-\d\dT[\d:.]+Z?'
    r'|name="client_id" value="[^"]*"|nonce-[^\']*|\b\d+ (?:second|minute)s? ago|data-csrf="[^"]*"'
    r'|data-label="age">[^<]*'
)
_VARYING_HEADERS = {
    "date", "x-request-id", "request-id", "set-cookie", "content-security-policy", "etag", "last-modified",
    "content-length",
}  # fmt: skip
Open = Callable[[str], tuple[object, ...]]


@pytest.fixture
def item(project: Project) -> QueueItem:
    queue = QueueFactory.create(
        project=project, slug="answers", reviewers_per_item=2, criteria=dump_criteria(CRITERIA), score_step="0.01"
    )
    item = QueueItemFactory.create(queue=queue)
    trace = TraceFactory.create(project=project, trace_id=item.trace_id, metadata='{"region":"eu"}')
    SpanFactory.create(trace=trace)
    return item


@pytest.fixture
def urls(item: QueueItem) -> list[str]:
    """Every page that a reviewer may open; those of trace lists with every query."""
    values = make_url_values(QueueItemFactory.create(queue=item.queue)) | {"item": item.pk, "trace_id": item.trace_id}
    urls = []
    for route in PROJECT_ROUTES:
        if route.role == Role.REVIEWER:
            url = route.url(values)
            queries = QUERIES if route.pattern.endswith(LISTS) else ()
            urls += [url, *(f"{url}?{query}" for query in queries)]
            if route.pattern.endswith("/states/"):
                urls.append(f"{url}?trace={item.trace_id}")
    return urls


@pytest.fixture
def open_page(colleague_client: Client) -> Open:
    """Open a URL as the second reviewer, and undo what that wrote."""

    def get_content(url: str) -> tuple[object, ...]:
        with transaction.atomic():
            response: Any = colleague_client.get(url)
            body = response.getvalue() if response.streaming else response.content
            transaction.set_rollback(True)
        headers = {name: value for name, value in response.items() if name.lower() not in _VARYING_HEADERS}
        return response.status_code, f"{headers}\n{_NOISE.sub('', body.decode(errors='replace'))}"

    return get_content


def find_changed(urls: list[str], open_page: Open, answer: Callable[[], object]) -> list[str]:
    """The pages that are not what they were before an answer."""
    index.compact()
    before = {url: open_page(url) for url in urls}
    answer()
    index.compact()
    changed = []
    for url in urls:
        after = open_page(url)
        if after != before[url] or (WORD in str(after) and WORD not in url):
            old, new = (str(page[1]).splitlines() for page in (before[url], after))
            changed += [url, *difflib.unified_diff(old, new, n=0)]
    return changed


def test_it_shows_no_trace_of_the_first_of_two_answers(
    item: QueueItem, urls: list[str], reviewer: User, open_page: Open
) -> None:
    changed = find_changed(urls, open_page, lambda: submit(item, reviewer, SURE, version=0))
    assert not changed, "\n".join(changed)


def test_it_shows_no_trace_of_an_unsure_answer(
    item: QueueItem, urls: list[str], reviewer: User, open_page: Open
) -> None:
    Queue.objects.update(reviewers_per_item=1)
    item.queue.refresh_from_db()
    changed = find_changed(urls, open_page, lambda: submit(item, reviewer, UNSURE, version=0))
    # The form's version, without which the second answer would be refused, says that there was one and nothing of it.
    values = [line for line in changed if line[:1] in "+-" and not line.startswith(("+++", "---"))]
    assert all('name="version"' in line for line in values), "\n".join(changed)


def test_it_shows_the_answers_once_all_have_answered(
    item: QueueItem, reviewer: User, colleague: User, open_page: Open
) -> None:
    """The tests above can fail."""
    urls = [f"/p/support/traces/{item.trace_id}/reviews/"]
    submit(item, reviewer, SURE, version=0)
    changed = find_changed(urls, open_page, lambda: submit(item, colleague, SURE, version=0))
    assert any(WORD in line for line in changed)
