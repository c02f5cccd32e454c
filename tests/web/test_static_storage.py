"""Collected static files."""

from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from reviewapp.web.static_storage import StaticStorage

SCRIPT = """// Adds.
/** @param {string} text */
export function add(text) {
  return `// ${text} /* kept */` + "/* kept */";
}
"""


@pytest.fixture
def storage(tmp_path: Path) -> StaticStorage:
    return StaticStorage(location=str(tmp_path), base_url="/static/")


def test_it_collects_our_scripts_without_comments(storage: StaticStorage, tmp_path: Path) -> None:
    storage.save("js/add.js", ContentFile(SCRIPT.encode()))
    script = (tmp_path / "js/add.js").read_text()
    assert script == 'export function add(text){return`// ${text} /* kept */`+"/* kept */";}'


def test_it_leaves_other_files_unchanged(storage: StaticStorage, tmp_path: Path) -> None:
    storage.save("django_htmx/htmx.min.js", ContentFile(SCRIPT.encode()))
    assert (tmp_path / "django_htmx/htmx.min.js").read_text() == SCRIPT
