"""Pages for leads to manage a queue's rules."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.lib import canonical_json
from reviewapp.queues.access import get_queue_or_404, get_rule_or_404
from reviewapp.queues.models import Queue, Rule
from reviewapp.queues.rules import lifecycle
from reviewapp.queues.rules.dry_run import dry_run_rule
from reviewapp.queues.rules.forms import NewRuleForm, RuleForm
from reviewapp.traces.metadata import pairs
from reviewapp.traces.metadata.pairs import FilterError
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request


@access.member(Role.LEAD)
@require_safe
def rule_start(request: Request, project: Project) -> HttpResponse:
    """Choose the queue for a new rule; the query string is a view of traces (`m=`) that the rule starts from."""
    queues = Queue.objects.active().filter(project=project).order_by("name")
    context = {"project": project, "section": "queues", "queues": queues, "view": request.GET.urlencode()}
    return render_page(request, "queues/rule_choose_queue.html", context)


@access.member(Role.LEAD)
@require_safe
def rule_list(request: Request, project: Project, queue: str) -> HttpResponse:
    owner = get_queue_or_404(project, queue)
    rules = Rule.objects.filter(queue=owner).order_by("name", "pk")
    context = {"project": project, "section": "queues", "queue": owner, "rules": rules}
    return render_page(request, "queues/rules.html", context)


@access.member(Role.LEAD)
@require_http_methods(["GET", "POST"])
def rule_create(request: Request, project: Project, queue: str) -> HttpResponse:
    rule = Rule(queue=get_queue_or_404(project, queue))
    if request.method == "GET":
        pairs_error = _set_pairs_from_query(rule, request)
        has_time_range = bool(request.GET.get("from") or request.GET.get("to"))
        return _render_form(request, NewRuleForm(instance=rule), pairs_error=pairs_error, has_time_range=has_time_range)
    form = NewRuleForm(request.POST, instance=rule)
    if not form.is_valid() or request.POST.get("act") == "try":
        return _render_form(request, form)
    lifecycle.create_rule(rule, request.user)
    messages.success(request, f"Rule “{rule.name}” created. The worker applies it from now on.")
    return redirect("queues:rule-list", project=project.slug, queue=queue)


@access.member(Role.LEAD)
@require_http_methods(["GET", "POST"])
def rule_change(request: Request, project: Project, queue: str, rule: int) -> HttpResponse:
    instance = get_rule_or_404(project, queue, rule)
    form = RuleForm(request.POST if request.method == "POST" else None, instance=instance)
    if request.method == "GET" or not form.is_valid() or request.POST.get("act") == "try":
        return _render_form(request, form)
    if form.changed_fields:
        lifecycle.update_rule(instance, request.user, form.changed_fields)
    messages.success(request, "Rule saved. It applies to traces that arrive or change from now on.")
    return redirect("queues:rule-list", project=project.slug, queue=queue)


@access.member(Role.LEAD)
@require_POST
def rule_switch(request: Request, project: Project, queue: str, rule: int) -> HttpResponse:
    instance = get_rule_or_404(project, queue, rule)
    is_on = request.POST.get("to") == "on"
    if lifecycle.switch_rule(instance, request.user, is_on=is_on):
        outcome = (
            "turned on. It adds traces that arrive or change from now on, and none that started more than a day ago."
            if is_on
            else "turned off. It adds no more traces."
        )
        messages.success(request, f"Rule “{instance.name}” {outcome}")
    return redirect("queues:rule-list", project=project.slug, queue=queue)


@access.member(Role.LEAD)
@require_http_methods(["GET", "POST"])
def rule_delete(request: Request, project: Project, queue: str, rule: int) -> HttpResponse:
    instance = get_rule_or_404(project, queue, rule)
    if request.method == "POST":
        lifecycle.delete_rule(instance, request.user)
        messages.success(request, f"Rule “{instance.name}” deleted. Its items stay in the queue.")
        return redirect("queues:rule-list", project=project.slug, queue=queue)
    context = {"project": project, "section": "queues", "queue": instance.queue, "rule": instance}
    return render_page(request, "queues/rule_delete.html", context)


def _set_pairs_from_query(rule: Rule, request: Request) -> str:
    """Set the rule's pairs from the query string; returns the error message if they are invalid, else an empty text."""
    try:
        rule.pairs = canonical_json.dumps(pairs.parse_pairs([m for m in request.GET.getlist("m") if m.strip()]))
    except (FilterError, canonical_json.InvalidJSONError) as error:
        return str(error)
    return ""


def _render_form(
    request: Request, form: RuleForm, *, pairs_error: str = "", has_time_range: bool = False
) -> HttpResponse:
    """Render the form with its dry run. `has_time_range`: it starts from a view with a time range, which rules lack."""
    rule: Rule = form.instance
    has_errors = bool(form.errors or pairs_error)
    context = {
        "project": rule.queue.project, "section": "queues", "queue": rule.queue, "rule": rule, "form": form,
        "pairs_error": pairs_error, "has_time_range": has_time_range,
        "dry_run": None if has_errors else dry_run_rule(rule),
    }  # fmt: skip
    return render_page(request, "queues/rule.html", context, fragment="forecast", status=422 if has_errors else 200)
