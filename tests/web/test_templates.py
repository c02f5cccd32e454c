"""No template has inline code or style: the browser would block it, and an injection would go unnoticed."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import get_template

FOLDER = Path(settings.BASE_DIR) / "templates"
STATIC = Path(settings.BASE_DIR) / "static"
TEMPLATES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.html"))
INLINE = {
    "a style": re.compile(r"<style\b|\sstyle\s*=", re.IGNORECASE),
    "a script without a URL": re.compile(r"<script(?![^>]*\ssrc=)", re.IGNORECASE),
    "an event handler": re.compile(r"\son[a-z]+\s*=|hx-on|hx-vals\s*=\s*[\"']js:|hx-vars", re.IGNORECASE),
    "a URL that runs code": re.compile(r"javascript:|data:text", re.IGNORECASE),
    "a URL of another host": re.compile(r"""(?:src|href|action)\s*=\s*["'](?:https?:)?//""", re.IGNORECASE),
    "a filter that disables escaping": re.compile(r"\|\s*(?:safe|safeseq)\b|autoescape off", re.IGNORECASE),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_it_compiles(name: str) -> None:
    get_template(name)


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("kind", INLINE)
def test_it_has_no_inline_code(name: str, kind: str) -> None:
    match = INLINE[kind].search((FOLDER / name).read_text())

    assert match is None, f"{name} has {kind}: {match}"


@pytest.mark.parametrize("name", TEMPLATES)
def test_it_protects_each_post_form(name: str) -> None:
    text = (FOLDER / name).read_text()

    for form in re.findall(r"<form\b[^>]*method=\"post\".*?</form>", text, re.DOTALL | re.IGNORECASE):
        assert "{% csrf_token %}" in form


@pytest.mark.parametrize("path", sorted(STATIC.rglob("*.*s")), ids=lambda path: path.name)
def test_it_requests_no_other_host(path: Path) -> None:
    text = path.read_text()

    assert not re.search(r"https?://(?!www\.w3\.org)|@import(?! \"\./)", text)
    assert path.suffix == ".css" or not re.search(r"\beval\(|new Function|\.innerHTML|document\.write", text)
