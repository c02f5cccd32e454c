"""The page on which a person sets their preferences."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from reviewapp.accounts import access
from reviewapp.accounts.models import User
from reviewapp.accounts.preferences import (
    DENSITIES,
    MAX_SNIPPET_LENGTH,
    MAX_SNIPPETS,
    SHORTCUTS,
    THEMES,
    Preferences,
    dump_preferences,
    find_key_error,
)  # fmt: skip
from reviewapp.lib.newlines import split_lines
from reviewapp.web.pages import render_page
from reviewapp.web.request import Request


class PreferencesForm(forms.Form):
    """Look and behaviour; the keys are fields of their own, `key_<name>`."""

    theme = forms.ChoiceField(choices=list(THEMES.items()))
    density = forms.ChoiceField(choices=list(DENSITIES.items()))
    advances = forms.BooleanField(
        required=False, label="Submit and go on once the score and every required answer are given"
    )
    keeps_tab = forms.BooleanField(required=False, label="Open each trace at the tab I used last")
    opens_tools = forms.BooleanField(required=False, label="Open tool calls")
    snippets = forms.CharField(
        required=False, max_length=MAX_SNIPPETS * (MAX_SNIPPET_LENGTH + 2), widget=forms.Textarea(attrs={"rows": 5}),
        label=f"Text snippets for notes, one per line, {MAX_SNIPPETS} at most",
    )  # fmt: skip

    def clean_snippets(self) -> tuple[str, ...]:
        lines = tuple(line.strip() for line in split_lines(self.cleaned_data["snippets"]) if line.strip())
        if len(lines) > MAX_SNIPPETS:
            raise forms.ValidationError(f"There are {len(lines)} snippets; the limit is {MAX_SNIPPETS}. Remove some.")
        if any(len(line) > MAX_SNIPPET_LENGTH for line in lines):
            raise forms.ValidationError(f"A snippet has at most {MAX_SNIPPET_LENGTH} characters. Shorten it.")
        return lines


@access.signed_in
@require_http_methods(["GET", "POST"])
def preferences_page(request: Request) -> HttpResponse:
    stored = request.user.preferences
    if request.method == "GET":
        initial = {name: getattr(stored, name) for name in PreferencesForm.base_fields}
        form = PreferencesForm(initial=initial | {"snippets": "\n".join(stored.snippets)})
        return _render(request, form, stored.keys)
    form = PreferencesForm(request.POST)
    keys = {name: request.POST.get(f"key_{name}", "").strip() or key for name, (key, _) in SHORTCUTS.items()}
    key_error = find_key_error(keys)
    if not form.is_valid() or key_error:
        return _render(request, form, keys, key_error, status=422)
    own_keys = {name: key for name, key in keys.items() if key != SHORTCUTS[name][0]}
    text = dump_preferences(Preferences(**form.cleaned_data, own_keys=own_keys))
    User.objects.filter(pk=request.user.pk).update(preferences_json=text)
    messages.success(request, "Preferences saved.")
    return redirect("accounts:preferences")


def _render(
    request: Request, form: PreferencesForm, keys: dict[str, str], key_error: str = "", *, status: int = 200
) -> HttpResponse:
    rows = [(name, label, keys[name], default) for name, (default, label) in SHORTCUTS.items()]
    context: dict[str, Any] = {"form": form, "key_rows": rows, "key_error": key_error}
    return render_page(request, "accounts/preferences.html", context, status=status)
