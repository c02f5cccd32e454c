"""The lead's pages of a queue's rules."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from reviewapp.accounts import access
from reviewapp.accounts.models import Project, Role
from reviewapp.lib import canonical_json
from reviewapp.queues.models import Queue, Rule
from reviewapp.queues.rules import lifecycle
from reviewapp.queues.rules.dry_run import dry_run_rule
from reviewapp.queues.rules.forms import NewRuleForm, RuleForm
from reviewapp.queues.views.queues import get_queue_or_404
from reviewapp.traces.metadata import pairs
from reviewapp.traces.metadata.pairs import FilterError
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request


def rule_of(project: Project, slug: str, number: int) -> Rule:
    """The rule of this number of the queue at this address. Raises Http404."""
    queue = get_queue_or_404(project, slug)
    rule = Rule.objects.filter(queue=queue, pk=number).first()
    if rule is None:
        raise Http404("There is no such rule in this queue.")
    rule.queue = queue
    return rule


@access.member(Role.LEAD)
@require_safe
def rule_begin(request: Request, project: Project) -> HttpResponse:
    """For a view of traces (`m=`) the choice of the queue that a rule is to fill."""
    queues = Queue.objects.filter(project=project).order_by("name")
    context = {"project": project, "section": "queues", "queues": queues, "view": request.GET.urlencode()}
    return render_page(request, "queues/rule_choose_queue.html", context)


@access.member(Role.LEAD)
@require_safe
def rule_list(request: Request, project: Project, queue: str) -> HttpResponse:
    found = get_queue_or_404(project, queue)
    rows = Rule.objects.filter(queue=found).order_by("name", "pk")
    return render_page(
        request, "queues/rules.html", {"project": project, "section": "queues", "queue": found, "rows": rows}
    )


@access.member(Role.LEAD)
@require_http_methods(["GET", "POST"])
def rule_make(request: Request, project: Project, queue: str) -> HttpResponse:
    rule = Rule(queue=get_queue_or_404(project, queue))
    if request.method == "GET":
        fault = _fill(rule, request)
        has_times = bool(request.GET.get("from") or request.GET.get("to"))
        return _show(request, NewRuleForm(instance=rule), fault=fault, has_times=has_times)
    form = NewRuleForm(request.POST, instance=rule)
    if not form.is_valid() or request.POST.get("act") == "try":
        return _show(request, form)
    lifecycle.create_rule(rule, request.user)
    messages.success(request, f"The rule “{rule.name}” is made. The worker applies it.")
    return redirect("queues:rule-list", project=project.slug, queue=queue)


@access.member(Role.LEAD)
@require_http_methods(["GET", "POST"])
def rule_change(request: Request, project: Project, queue: str, rule: int) -> HttpResponse:
    found = rule_of(project, queue, rule)
    form = RuleForm(request.POST if request.method == "POST" else None, instance=found)
    if request.method == "GET" or not form.is_valid() or request.POST.get("act") == "try":
        return _show(request, form)
    if form.said:
        lifecycle.update_rule(found, request.user, form.said)
    messages.success(request, "The rule is saved. It holds for the traces it looks at from now on.")
    return redirect("queues:rule-list", project=project.slug, queue=queue)


@access.member(Role.LEAD)
@require_POST
def rule_switch(request: Request, project: Project, queue: str, rule: int) -> HttpResponse:
    found = rule_of(project, queue, rule)
    is_on = request.POST.get("to") == "on"
    if lifecycle.switch_rule(found, request.user, is_on=is_on):
        told = (
            "on. It looks at traces from now on, and takes none that began more than a day ago."
            if is_on
            else "off. It takes nothing more."
        )
        messages.success(request, f"The rule “{found.name}” is {told}")
    return redirect("queues:rule-list", project=project.slug, queue=queue)


@access.member(Role.LEAD)
@require_http_methods(["GET", "POST"])
def rule_delete(request: Request, project: Project, queue: str, rule: int) -> HttpResponse:
    found = rule_of(project, queue, rule)
    if request.method == "POST":
        lifecycle.delete_rule(found, request.user)
        messages.success(request, f"The rule “{found.name}” is deleted. Its items stay in the queue.")
        return redirect("queues:rule-list", project=project.slug, queue=queue)
    context = {"project": project, "section": "queues", "queue": found.queue, "rule": found}
    return render_page(request, "queues/rule_delete.html", context)


def _fill(rule: Rule, request: Request) -> str:
    """Let a rule begin with the pairs of the address; what is wrong with them, if anything."""
    try:
        rule.pairs = canonical_json.dumps(pairs.parse_pairs([m for m in request.GET.getlist("m") if m.strip()]))
    except (FilterError, canonical_json.InvalidJSONError) as error:
        return str(error)
    return ""


def _show(request: Request, form: RuleForm, *, fault: str = "", has_times: bool = False) -> HttpResponse:
    """The form with its dry run; `has_times` where it began with a view whose time range a rule cannot have."""
    rule: Rule = form.instance
    is_wrong = bool(form.errors or fault)
    context = {
        "project": rule.queue.project, "section": "queues", "queue": rule.queue, "rule": rule, "form": form,
        "fault": fault, "has_times": has_times, "forecast": None if is_wrong else dry_run_rule(rule),
    }  # fmt: skip
    return render_page(request, "queues/rule.html", context, fragment="forecast", status=422 if is_wrong else 200)
