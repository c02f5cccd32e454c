"""No template carries code or style of its own: the browser would refuse it, and a hole would not show."""

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
    "a script without an address": re.compile(r"<script(?![^>]*\ssrc=)", re.IGNORECASE),
    "a handler": re.compile(r"\son[a-z]+\s*=|hx-on|hx-vals\s*=\s*[\"']js:|hx-vars", re.IGNORECASE),
    "an address that runs": re.compile(r"javascript:|data:text", re.IGNORECASE),
    "an address of others": re.compile(r"""(?:src|href|action)\s*=\s*["'](?:https?:)?//""", re.IGNORECASE),
    "a filter that lets markup through": re.compile(r"\|\s*(?:safe|safeseq)\b|autoescape off", re.IGNORECASE),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_it_compiles(name: str) -> None:
    get_template(name)


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("what", INLINE)
def test_it_holds_no(name: str, what: str) -> None:
    found = INLINE[what].search((FOLDER / name).read_text())

    assert found is None, f"{name} holds {what}: {found}"


@pytest.mark.parametrize("name", TEMPLATES)
def test_it_protects_each_form_that_posts(name: str) -> None:
    text = (FOLDER / name).read_text()

    for form in re.findall(r"<form\b[^>]*method=\"post\".*?</form>", text, re.DOTALL | re.IGNORECASE):
        assert "{% csrf_token %}" in form


@pytest.mark.parametrize("path", sorted(STATIC.rglob("*.*s")), ids=lambda path: path.name)
def test_it_asks_no_other_host(path: Path) -> None:
    text = path.read_text()

    assert not re.search(r"https?://(?!www\.w3\.org)|@import", text)
    assert path.suffix == ".css" or not re.search(r"\beval\(|new Function|\.innerHTML|document\.write", text)
