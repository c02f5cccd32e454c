"""Pages about the answers of several reviewers: how well they agree, and the items behind each figure."""

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role, User
from reviewapp.lib.numbers import parse_int
from reviewapp.quality.agreement_report import MAX_PAIRS, report_pairs, report_question
from reviewapp.quality.answer_table import AnswerTable, load_tables
from reviewapp.queues.access import get_queue_or_404
from reviewapp.queues.models import Queue, QueueItem
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request

PAGE_SIZE = 50


@access.member(Role.LEAD)
@require_safe
def queue_agreement(request: Request, project: Project, queue: str) -> HttpResponse:
    """How well reviewers agree: a row for each question, and for each pair of people about one question."""
    review_queue = get_queue_or_404(project, queue)
    tables = load_tables(review_queue)
    table = _choose_table(tables, request.GET.get("question", ""))
    pairs = report_pairs(table)
    names = _load_names({pk for pair in pairs for pk in pair.pair})
    context = {
        **_base_context(project, review_queue), "reports": [report_question(each) for each in tables], "table": table,
        "pairs": [(names[pair.pair[0]], names[pair.pair[1]], pair) for pair in pairs], "max_pairs": MAX_PAIRS,
    }  # fmt: skip
    return render_page(request, "quality/agreement.html", context)


@access.member(Role.LEAD)
@require_safe
def compared_items(request: Request, project: Project, queue: str) -> HttpResponse:
    """The items behind a figure, with the answers side by side; those that differ come first."""
    review_queue = get_queue_or_404(project, queue)
    table = _choose_table(load_tables(review_queue), request.GET.get("question", ""))
    first, second = (parse_int(request.GET.get(name), max_value=2**63 - 1) for name in ("first", "second"))
    pair = None if first is None or second is None else (first, second)
    rows = table.select_shared(pair)
    differs = {item: len(set(answers.values())) > 1 for item, answers in rows.items()}
    pks = sorted(rows, key=lambda item: (not differs[item], item))
    if request.GET.get("only") == "differing":
        pks = [pk for pk in pks if differs[pk]]
    page_number = parse_int(request.GET.get("page"), max_value=100_000) or 1
    shown = pks[(page_number - 1) * PAGE_SIZE : page_number * PAGE_SIZE]
    items = QueueItem.objects.in_bulk(shown)
    names = _load_names({pk for item in shown for pk in rows[item]})
    context = {
        **_base_context(project, review_queue), "table": table, "count": len(pks),
        "rows": [
            (items[pk], differs[pk], [(names[who], answer) for who, answer in rows[pk].items()])
            for pk in shown
            if pk in items
        ],
        "page_number": page_number, "has_more": len(pks) > page_number * PAGE_SIZE,
    }  # fmt: skip
    return render_page(request, "quality/compared_items.html", context)


def _base_context(project: Project, queue: Queue) -> dict[str, Any]:
    return {"project": project, "section": "queues", "queue": queue}


def _choose_table(tables: list[AnswerTable], name: str) -> AnswerTable:
    """The named table, the first one without a name. Raises Http404."""
    for table in tables:
        if name in ("", table.name):
            return table
    raise Http404("This queue asks no such question, or its answers cannot be compared.")


def _load_names(pks: set[int]) -> Mapping[int, str]:
    return dict(User.objects.filter(pk__in=pks).values_list("pk", "username"))
