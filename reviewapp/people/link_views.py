"""The page of an invite or a reset link."""

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from reviewapp.accounts import access
from reviewapp.accounts.models import User
from reviewapp.people import links, signing_in
from reviewapp.people.models import AccountLink
from reviewapp.web.database_error_page import secret_fields
from reviewapp.web.pages import render_page

MAX_PASSWORD = 1_000


class NewPasswordForm(forms.Form):
    password = forms.CharField(max_length=MAX_PASSWORD, strip=False, label="New password", widget=forms.PasswordInput)
    again = forms.CharField(max_length=MAX_PASSWORD, strip=False, label="The same again", widget=forms.PasswordInput)

    def clean_again(self) -> str:
        again: str = self.cleaned_data["again"]
        if "password" in self.cleaned_data and again != self.cleaned_data["password"]:
            raise ValidationError("The two passwords differ. Type them again.")
        return again


class SignUpForm(NewPasswordForm):
    username = forms.CharField(max_length=80, label="Username")
    name = forms.CharField(max_length=120, required=False, label="Name that others see (optional)")
    field_order = ("username", "name", "password", "again")


@secret_fields("password", "again")
@access.anyone
@require_http_methods(["GET", "POST"])
def link_page(request: HttpRequest, secret: str) -> HttpResponse:
    link = links.find_link(secret)
    if link is None:
        return render_page(request, "people/link_ended.html", {"message": links.USED}, status=404)
    if link.kind == AccountLink.Kind.RESET:
        return _set_password(request, link)
    if isinstance(request.user, User):
        return _join(request, link, request.user)
    return _sign_up(request, link)


def _join(request: HttpRequest, link: AccountLink, user: User) -> HttpResponse:
    error = ""
    if request.method == "POST":
        try:
            links.join(link, user)
        except links.LinkError as refusal:
            error = str(refusal)
        else:
            messages.success(request, f"You joined {link.project.name} as {link.role}.")
            return redirect("insights:project-home", project=link.project.slug)
    return render_page(request, "people/join.html", {"link": link, "error": error}, status=409 if error else 200)


def _sign_up(request: HttpRequest, link: AccountLink) -> HttpResponse:
    form = SignUpForm(request.POST if request.method == "POST" else None)
    error = ""
    if form.is_valid():
        fields = form.cleaned_data
        try:
            user = links.sign_up(link, fields["username"], fields["name"], fields["password"])
        except ValidationError as refusal:
            form.add_error(None, refusal)
        except links.LinkError as refusal:
            error = str(refusal)
        else:
            response = redirect("insights:project-home", project=link.project.slug)
            signing_in.let_in(request, response, user)
            return response
    status = 409 if error else 422 if form.errors else 200
    return render_page(request, "people/sign_up.html", {"link": link, "form": form, "error": error}, status=status)


def _set_password(request: HttpRequest, link: AccountLink) -> HttpResponse:
    form = NewPasswordForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            links.set_password_by_link(link, form.cleaned_data["password"])
        except ValidationError as refusal:
            form.add_error("password", refusal)
        except links.LinkError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "Your new password was saved. You were signed out everywhere: sign in with it.")
            return redirect("accounts:sign-in")
    status = 422 if form.errors else 200
    return render_page(request, "people/set_password.html", {"link": link, "form": form}, status=status)
