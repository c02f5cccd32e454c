"""Pages of the documentation's site that are made from the code, and links to files beside docs/."""

# ruff: noqa: INP001 - a file for mkdocs, not a package
import os
import re
from argparse import HelpFormatter
from functools import partial
from pathlib import Path
from typing import Any

import django
from django.core.management import get_commands, load_command_class
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
# Files at the top of the repository that are pages of the site.
TOP_PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md", "SECURITY.md": "security.md"}
OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+([^)#]+)(#[^)]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reviewapp.settings")
    django.setup()
    pages = {"commands.md": write_commands(), "api.md": write_api()}
    for name, page in TOP_PAGES.items():
        pages[page] = re.sub(r"\]\(docs/", "](", (ROOT / name).read_text()).replace("](CHANGELOG.md", "](changelog.md")
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Let links to files beside docs/ lead to their page, or be the file's name if it has none."""
    return OUTSIDE.sub(lambda match: _link(match, page.file.src_uri.count("/")), markdown)


def write_commands() -> str:
    """The reference of all commands of the review desk, from their parsers."""
    text = ["# Commands\n\n`review-desk NAME` in an installation, `manage.py NAME` in a checkout.\n"]
    for name, app in sorted(get_commands().items()):
        if app == "reviewapp":
            parser = load_command_class(app, name).create_parser("review-desk", name)
            parser.formatter_class = partial(HelpFormatter, width=100)
            text.append(f"## {name}\n\n```text\n{parser.format_help()}```\n")
    return "\n".join(text)


def write_api() -> str:
    """The endpoints, from the OpenAPI description; the app itself shows all fields."""
    from reviewapp.api.endpoints import api  # noqa: PLC0415 - needs Django to be set up

    rows = ["# API\n\nThe app has all fields, examples and errors at `/api/v1/docs`.\n"]
    rows += ["| call | what it does |", "|---|---|"]
    for path, calls in sorted(api.get_openapi_schema()["paths"].items()):
        for method, call in calls.items():
            rows.append(f"| `{method.upper()} {path}` | {call.get('summary', '')} |")
    return "\n".join(rows) + "\n"


def _link(match: re.Match[str], depth: int) -> str:
    label, name, anchor = match[1], match[2], match[3] or ""
    page = TOP_PAGES.get(name)
    return f"[{label}]({'../' * depth}{page}{anchor})" if page else label
