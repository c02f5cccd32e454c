"""The pages to sign in and sign out."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from reviewapp.accounts import access
from reviewapp.accounts.sign_in_throttle import forgive
from reviewapp.people import signing_in
from reviewapp.people.sign_in_form import SignInForm
from reviewapp.web.database_error_page import secret_fields
from reviewapp.web.pages import render_page


@secret_fields("password")
@access.anyone
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect(get_next_url(request))
    form = SignInForm(request, data=request.POST if request.method == "POST" else None)
    if request.method == "POST":
        if form.is_valid() and form.counted is not None:
            forgive(form.counted)
            response = redirect(get_next_url(request))
            signing_in.let_in(request, response, form.get_user())
            return response
        if form.counted is not None:
            signing_in.record_failure(request, form.cleaned_data["username"], is_first=form.counted.is_first)
    status = 429 if form.is_refused else 422 if form.errors else 200
    context = {"form": form, "next": get_next_url(request)}
    return render_page(request, "accounts/sign_in.html", context, status=status)


@access.anyone
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    signing_in.let_out(request)
    response = redirect("accounts:sign-in")
    # Drafts and answers in the browser are the person's; over plain http sign-out.js removes them.
    response["Clear-Site-Data"] = '"storage"'
    return response


def get_next_url(request: HttpRequest) -> str:
    """Where to go after signing in: the path in `next`, never another site."""
    next_url = request.POST.get("next") or request.GET.get("next") or ""
    is_safe = url_has_allowed_host_and_scheme(next_url, {request.get_host()}, require_https=request.is_secure())
    if is_safe and next_url.startswith("/"):
        return next_url
    return resolve_url("home:home")
