"""Sign in and sign out."""

from django.contrib.auth import login, logout
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from reviewapp.accounts import access, sign_in_throttle
from reviewapp.web.database_error_page import secret_fields
from reviewapp.web.pages import render_page

THROTTLED_MESSAGE = "Too many failed attempts. Wait ten minutes, then try again."


@secret_fields("password")
@access.anyone
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect(_get_next_url(request))
    form = AuthenticationForm(request, data=request.POST if request.method == "POST" else None)
    if request.method == "POST":
        name, address = request.POST.get("username", ""), request.META.get("REMOTE_ADDR", "")
        if sign_in_throttle.is_throttled(name, address):
            form.errors.clear()
            form.add_error(None, THROTTLED_MESSAGE)
            return _render_form(request, form, status=429)
        if form.is_valid():
            sign_in_throttle.clear_failures(name, address)
            login(request, form.get_user())
            return redirect(_get_next_url(request))
        sign_in_throttle.record_failure(name, address)
    return _render_form(request, form, status=422 if form.errors else 200)


@access.anyone
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("accounts:sign-in")


def _render_form(request: HttpRequest, form: AuthenticationForm, *, status: int) -> HttpResponse:
    return render_page(request, "accounts/sign_in.html", {"form": form, "next": _get_next_url(request)}, status=status)


def _get_next_url(request: HttpRequest) -> str:
    next_url = request.POST.get("next") or request.GET.get("next") or ""
    is_safe = url_has_allowed_host_and_scheme(next_url, {request.get_host()}, require_https=request.is_secure())
    if is_safe and next_url.startswith("/"):
        return next_url
    return resolve_url("home:home")
