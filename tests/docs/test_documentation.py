"""What the documentation names exists: files, headings, commands, options and settings."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from tests.tracestore_server import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?<!-n )(?:manage\.py|review-desk) ([a-z_]{3,})((?: [^`|\n]*)?)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
SETTING = re.compile(r"^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \|", re.MULTILINE)
for_each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def find_anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def find_commands(page: Path) -> set[tuple[str, str]]:
    """Each command that a page names, with the text after it."""
    return {(match[1], match[2]) for match in COMMAND.finditer(page.read_text())}


@for_each_page
def test_it_has_no_dead_link(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or target.suffix != ".md" or anchor in find_anchors(target), link


@for_each_page
def test_it_names_commands_and_options_that_exist(page: Path) -> None:
    apps = get_commands()
    for name, rest in find_commands(page):
        assert name in apps, name
        command = load_command_class(apps[name], name)
        known = command.create_parser("manage.py", name)._option_string_actions
        assert {option for option in OPTION.findall(rest) if option not in known} == set(), f"{name} {rest}"


def test_it_describes_settings_that_are_read() -> None:
    """Each variable in a table of the operator's page is read somewhere in the code."""
    text = (ROOT / "docs" / "production.md").read_text()
    names = {name for row in SETTING.findall(text) for name in re.findall(r"[A-Z_]+", row)}
    assert len(names) > 20
    code = "\n".join(path.read_text() for path in (ROOT / "reviewapp").rglob("*.py"))
    assert {name for name in names if f'"{name}"' not in code} == set()
