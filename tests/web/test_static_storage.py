"""Collected static files."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from reviewapp.web.static_storage import STYLES, StaticStorage

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


def collect(storage: StaticStorage, sources: Path, **files: str) -> dict[str, str]:
    """Write files, collect them as `collectstatic` does, and return their names with a hash."""
    source_storage = FileSystemStorage(location=str(sources))
    for name, text in files.items():
        source_storage.delete(name)
        source_storage.save(name, ContentFile(text.encode()))
    paths = {path.relative_to(sources).as_posix(): path for path in sources.rglob("*.*")}
    for name in paths.keys() & files.keys():
        storage.delete(name)
        storage.save(name, ContentFile(files[name].encode()))
    return {name: hashed for name, hashed, _ in storage.post_process({n: (source_storage, n) for n in paths}, False)}


def test_it_joins_the_style_sheets_that_the_page_links(storage: StaticStorage, tmp_path: Path) -> None:
    styles = '@layer a, b;\n@import "./one.css";\n@import "./two.css";\n'
    parts = {"css/one.css": "/* 1 */\n@layer a {}\n", "css/two.css": "@layer b {}\n"}
    names = collect(storage, tmp_path / "source", **{STYLES: styles}, **parts)
    assert (tmp_path / names[STYLES]).read_text() == "@layer a, b;\n@layer a {}\n@layer b {}\n"


def test_it_joins_them_again_when_only_an_imported_one_changed(storage: StaticStorage, tmp_path: Path) -> None:
    collect(storage, tmp_path / "source", **{STYLES: '@import "./one.css";\n', "css/one.css": "p {}\n"})
    names = collect(storage, tmp_path / "source", **{"css/one.css": "b {}\n"})
    assert (tmp_path / names[STYLES]).read_text() == "b {}\n"


def test_it_names_imported_modules_by_their_hash(storage: StaticStorage, tmp_path: Path) -> None:
    script = 'import { b } from "./b.js";\nconst later = () => import("./c.js");'
    names = collect(storage, tmp_path / "source", **{"js/a.js": script, "js/b.js": "1", "js/c.js": "2"})
    b, c = (Path(names[f"js/{name}.js"]).name for name in "bc")
    assert (tmp_path / names["js/a.js"]).read_text() == f'import{{b}}from"./{b}";const later=()=>import("./{c}");'
    assert b != "b.js" != c


def test_it_links_every_style_sheet_once() -> None:
    folder = Path(settings.BASE_DIR) / "static" / "css"
    imported = re.findall(r'@import "\./(.+)";', (folder / "desk.css").read_text())
    assert sorted(imported) == sorted(path.name for path in folder.glob("*.css") if path.name != "desk.css")
