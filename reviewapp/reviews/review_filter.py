"""Filter the reviews of a project, newest first, by keyset pages."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import QueryDict
from django.urls import reverse

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import State
from reviewapp.lib import canonical_json
from reviewapp.lib.numbers import parse_decimal, parse_int
from reviewapp.queues.models import Queue
from reviewapp.reviews.models import Review, SessionPatch

PAGE_SIZE = 50
# Reviews that a page looks through for what an index compares but is not sorted by: scores and flags; and for what no
# index answers: texts, single answers, disagreement, delivery.
INDEXED_WINDOW = 100_000
WINDOW = 20_000
# A count beyond it is shown as “more than”.
MAX_COUNT = 1_000
UNPUSHED = "none"
_MAX_TEXT = 200
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place of a review in the list."""

    submitted_at: datetime
    pk: int

    @classmethod
    def of(cls, review: Review) -> "Cursor":
        return cls(review.submitted_at, review.pk)

    @classmethod
    def parse(cls, text: str) -> "Cursor | None":
        """Parse what `str` returns; None for any other text."""
        moment, _, number = text.rpartition("_")
        micros, pk = parse_int(moment), parse_int(number)
        if micros is None or pk is None or micros > 10**16:
            return None
        return cls(_EPOCH + timedelta(microseconds=micros), pk)

    def __str__(self) -> str:
        return f"{(self.submitted_at - _EPOCH) // timedelta(microseconds=1)}_{self.pk}"

    @property
    def older(self) -> Q:
        """The reviews after it in the list."""
        return Q(submitted_at__lte=self.submitted_at) & (Q(submitted_at__lt=self.submitted_at) | Q(pk__lt=self.pk))

    @property
    def newer(self) -> Q:
        """The reviews before it in the list."""
        return Q(submitted_at__gte=self.submitted_at) & (Q(submitted_at__gt=self.submitted_at) | Q(pk__gt=self.pk))


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class ReviewFilter:
    """A filter on reviews as in its URL; an empty text filters nothing, and values that cannot be are ignored."""

    queue: str = ""
    reviewer: str = ""
    needs_review: str = ""
    unsure: str = ""
    min: str = ""
    max: str = ""
    since: str = ""
    until: str = ""
    delivery: str = ""
    disagreement: str = ""
    accepted: str = ""
    key: str = ""
    value: str = ""
    notes: str = ""

    @classmethod
    def parse(cls, query: QueryDict, **preset: str) -> "ReviewFilter":
        texts = {
            "queue": query.get("queue", ""), "reviewer": query.get("reviewer", ""),
            "needs_review": query.get("needs_review", ""), "unsure": query.get("unsure", ""),
            "min": query.get("min", ""), "max": query.get("max", ""),
            "since": query.get("since", ""), "until": query.get("until", ""),
            "delivery": query.get("delivery", ""), "disagreement": query.get("disagreement", ""),
            "accepted": query.get("accepted", ""),
            "key": query.get("key", ""), "value": query.get("value", ""), "notes": query.get("notes", ""),
        }  # fmt: skip
        texts = {name: text.replace("\x00", "").strip() for name, text in texts.items()}
        valid = {name: text for name, text in texts.items() if len(text) <= _MAX_TEXT and _CHECKS[name](text)}
        return cls(**(valid | preset))

    @property
    def query(self) -> str:
        """Its part of a URL: equal filters have equal texts."""
        return urlencode([(name, text) for name in FIELD_NAMES if (text := getattr(self, name))])

    @property
    def is_empty(self) -> bool:
        return not self.query

    @property
    def window(self) -> int:
        """How many reviews a page looks through at most; 0 if all that it looks at match."""
        if self.delivery or self.disagreement or self.accepted or self.value or self.notes:
            return WINDOW
        return INDEXED_WINDOW if self.needs_review or self.unsure or self.min or self.max else 0

    def apply(self, project: Project) -> QuerySet[Review]:
        """The project's revisions that match, the latest and older ones."""
        queues = Queue.objects.filter(project=project)
        if self.queue:
            queues = queues.filter(slug=self.queue)
        # A few primary keys instead of a join: each index has the queue.
        reviews = Review.objects.filter(queue__in=list(queues.values_list("pk", flat=True)))
        return reviews.filter(self._build_condition()).filter(self._build_slow_condition())

    def _build_condition(self) -> Q:
        condition = Q()
        if self.reviewer:
            condition &= Q(reviewer__username=self.reviewer)
        for name in ("needs_review", "unsure"):
            if text := getattr(self, name):
                condition &= Q(**{_COLUMNS[name]: text == "yes"})
        for name, lookup in (("min", "gte"), ("max", "lte")):
            if text := getattr(self, name):
                condition &= Q(**{f"score__{lookup}": parse_decimal(text)})
        if self.since:
            condition &= Q(submitted_at__gte=_start_of_day(self.since))
        if self.until:
            condition &= Q(submitted_at__lt=_start_of_day(self.until) + timedelta(days=1))
        return condition

    def _build_slow_condition(self) -> Q:
        condition = Q()
        if self.delivery == UNPUSHED:
            condition &= Q(patch=None)
        elif self.delivery:
            others = SessionPatch.objects.filter(review=OuterRef("pk"), patch__state=self.delivery)
            condition &= Q(patch__state=self.delivery) | Q(Exists(others))
        if self.disagreement:
            others_reviews = Review.objects.filter(item=OuterRef("item"), is_latest=True).exclude(pk=OuterRef("pk"))
            different = others_reviews.exclude(score=OuterRef("score")).filter(score__isnull=False)
            condition &= Q(Exists(different), score__isnull=False)
        if self.accepted:
            condition &= Q(accepted_at__isnull=self.accepted == "no")
        if self.key and self.value:
            condition &= _build_answer_condition(self.key, self.value)
        if self.notes:
            condition &= Q(notes__icontains=self.notes)
        return condition


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """A page of a filter's reviews. `searched_until` is where a search stopped, if it did before the end."""

    reviews: list[Review]
    next: str
    count: int
    searched_until: datetime | None

    @property
    def has_more_than_counted(self) -> bool:
        return self.count > MAX_COUNT


def load_page(
    review_filter: ReviewFilter, project: Project, before: Cursor | None, *, window: int | None = None
) -> ReviewPage:
    """The newest reviews that match and are older than `before`, among `window` reviews (default: the filter's)."""
    window = review_filter.window if window is None else window
    latest = review_filter.apply(project).filter(is_latest=True)
    matching = latest if before is None else latest.filter(before.older)
    end = _find_window_end(review_filter, project, before, window) if window else None
    if end is not None:
        matching = matching.filter(submitted_at__gte=end.submitted_at)
        latest = latest.filter(submitted_at__gte=end.submitted_at)
    in_order = matching.select_related("item__queue", "reviewer", "patch").order_by("-submitted_at", "-pk")
    reviews = list(in_order[: PAGE_SIZE + 1])
    has_more = len(reviews) > PAGE_SIZE
    reviews = reviews[:PAGE_SIZE]
    next_cursor = Cursor.of(reviews[-1]) if has_more else end
    is_whole = before is None and not has_more
    count = len(reviews) if is_whole else latest.order_by()[: MAX_COUNT + 1].count()
    return ReviewPage(
        reviews, str(next_cursor) if next_cursor else "", count,
        end.submitted_at if end is not None and not has_more else None,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ListPlace:
    """Where a review stands in a list: its neighbours' addresses in it (empty at an end), and its position from 1.

    `position` is None if there are more than MAX_COUNT before it.
    """

    query: str
    previous: str
    next: str
    position: int | None


def find_place(project: Project, text: str, item_pk: int) -> ListPlace | None:
    """The place of an item in a list; `text` is the filter's query with the review in `at`, None if there is none."""
    query = QueryDict(text)
    pk = parse_int(query.get("at", ""))
    review = Review.objects.filter(pk=pk, item=item_pk, item__queue__project=project).first() if pk else None
    if review is None:
        return None
    review_filter = ReviewFilter.parse(query)
    reviews = review_filter.apply(project).filter(is_latest=True)
    cursor = Cursor.of(review)
    newer, older = reviews.filter(cursor.newer), reviews.filter(cursor.older)
    count = newer.order_by()[: MAX_COUNT + 1].count()
    return ListPlace(
        text,
        _list_url(project, review_filter, newer.order_by("submitted_at", "pk").first()),
        _list_url(project, review_filter, older.order_by("-submitted_at", "-pk").first()),
        count + 1 if count <= MAX_COUNT else None,
    )


def _list_url(project: Project, review_filter: ReviewFilter, review: Review | None) -> str:
    if review is None:
        return ""
    url = reverse("reviews:item-review", args=[project.slug, review.item_id])
    return f"{url}?{urlencode({'list': make_list_text(review_filter, review)})}"


def make_list_text(review_filter: ReviewFilter, review: Review) -> str:
    """What names a review's place in the filter's list: see `find_place`."""
    return "&".join(filter(None, [review_filter.query, f"at={review.pk}"]))


def _find_window_end(
    review_filter: ReviewFilter, project: Project, before: Cursor | None, window: int
) -> Cursor | None:
    """The last review that a page looks at; None if there are fewer. Read from an index alone."""
    sorted_filter = ReviewFilter(**{
        name: getattr(review_filter, name)
        for name in ("queue", "reviewer", "since", "until")
    })  # fmt: skip
    reviews = sorted_filter.apply(project).filter(is_latest=True)
    if before is not None:
        reviews = reviews.filter(before.older)
    rows = reviews.order_by("-submitted_at", "-pk").values_list("submitted_at", "pk")
    row = next(iter(rows[window - 1 : window]), None)
    return None if row is None else Cursor(*row)


def _build_answer_condition(key: str, value: str) -> Q:
    """The reviews whose answers have this member: its value as text, as a number or true or false, or in a list."""
    name = canonical_json.dumps(key)
    text = canonical_json.dumps(value)
    condition = Q(answers__contains=f"{name}:{text}")
    if value in ("true", "false") or parse_decimal(value) is not None:
        condition |= Q(answers__contains=f"{name}:{value},") | Q(answers__contains=f"{name}:{value}}}")
    in_list = Q(answers__contains=f"{name}:[") & (Q(answers__contains=f"[{text}") | Q(answers__contains=f",{text}"))
    return condition | in_list


def _start_of_day(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}T00:00:00+00:00")


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    with suppress(ValueError):
        return 1970 <= date.fromisoformat(text).year <= 9000
    return False


def _is_yes_or_no(text: str) -> bool:
    return text in ("yes", "no")


def _is_number(text: str) -> bool:
    return parse_decimal(text) is not None


_COLUMNS = {"needs_review": "needs_review", "unsure": "is_unsure"}
FIELD_NAMES = [field.name for field in fields(ReviewFilter)]
_CHECKS: dict[str, Callable[[str], bool]] = dict.fromkeys(FIELD_NAMES, lambda text: True) | {
    "needs_review": _is_yes_or_no, "unsure": _is_yes_or_no, "accepted": _is_yes_or_no, "min": _is_number,
    "max": _is_number, "since": _is_date, "until": _is_date, "disagreement": lambda text: text == "yes",
    "delivery": lambda text: text in (*State.values, UNPUSHED),
}  # fmt: skip
