"""Whatever is sent in a form of any page, the answer is a page or a sentence, never a server error."""

import re
from copy import copy
from pathlib import Path
from random import Random
from urllib.parse import quote_plus

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from reviewapp.queues.models import QueueItem
from tests import fuzz
from tests.html_forms import Form, parse_forms
from tests.routes import ALL_ROUTES, Route, make_url_values

SOURCE = Path(settings.BASE_DIR) / "reviewapp"
FIELD_READ = re.compile(r'(?:POST|data|form|fields)\.get(?:list)?\(\s*"(\w+)"')
OPEN = [route for route in ALL_ROUTES if route.rule != "access token"]
URLENCODED = "application/x-www-form-urlencoded"
VALUES = [
    "", " ", "0", "-1", "1", "-0.0", "0.5", "1,5", "1e999", "NaN", "Infinity", "9" * 400, "1_0", "yes", "on", "null",
    "\x00", "a\x00b", "\r", "\r\n", "\u0661", "\u202eQA", "\uffff", "\U000e0041", "\N{REPLACEMENT CHARACTER}",
    "2026-02-30", "9999-12-31T23:59:59+14:00", "a" * 30_000, "a\n" * 3_000, "a=b\n" * 300, "[" * 1_000, '{"a": 1e400}',
    '{"a": "\\ud800"}', '{"a":' * 90 + "1" + "}" * 90, "=1+1", "<script>", "{{ 7 }}", "https://[", "http://127.0.0.1:x",
    "7c1e5d2a-9b3f-4c8d-a1e6-0f2b4d6c9f04", "{7c1e5d2a9b3f4c8da1e60f2b4d6c9f04}", "../..", "a@b.c 4111 1111 1111 1111",
]  # fmt: skip
# Text in no encoding, and half a character.
RAW_VALUES = ["%", "%zz", "%ff%fe", "%ed%a0%80", "%00", "%F0%9F"]


@pytest.fixture
def forms(admin_client: Client, item: QueueItem) -> list[Form]:
    """The forms of all pages that an admin sees, and for each route one of all fields that its package reads."""
    values = make_url_values(item)
    rendered = [form for route in OPEN for form in get_forms(admin_client, route.url(values))]
    return rendered + [Form([route.url(values)], {name: [""] for name in list_fields(route)}) for route in OPEN]


def get_forms(client: Client, url: str) -> list[Form]:
    response = client.get(url)
    is_page = response.status_code == 200 and response.get("Content-Type", "").startswith("text/html")
    return parse_forms(url, response.text) if is_page else []


def list_fields(route: Route) -> list[str]:
    """The fields that the route's package reads, from its source, so that new ones are tested too."""
    package = SOURCE / (route.module.split(".")[1:2] or ["."])[0]
    source = "".join(path.read_text() for path in package.rglob("*.py"))
    return sorted(set(FIELD_READ.findall(source)))


def make_body(form: Form, random: Random) -> str:
    """A form with its own values but for some; fields may be missing, repeated or unknown."""
    pairs = []
    for name, values in form.fields.items():
        for _ in range(random.choice([0, 1, 1, 1, 1, 1, 1, 2])):
            value = quote_plus(random.choice(values))
            if random.random() < 0.3:
                value = random.choice(RAW_VALUES) if random.random() < 0.2 else quote_plus(random.choice(VALUES))
            pairs.append(f"{quote_plus(name)}={value}")
    if random.random() < 0.1:
        pairs.append(
            random.choice(["%00=1", "x=" + "y" * 100, "&&&==", "score[]=1", "act=" + random.choice(RAW_VALUES)])
        )
    return "&".join(pairs)


def test_it_reads_the_forms_of_the_pages(forms: list[Form]) -> None:
    names = {name for form in forms if len(form.fields) > 3 for name in form.fields}
    assert {"score_words", "notes", "username", "client_id", "metadata"} <= names


@pytest.mark.fuzz
@fuzz.settings_for(150)
@given(random=st.randoms(use_true_random=True))
def test_it_answers_any_form(forms: list[Form], admin_client: Client, random: Random) -> None:
    form = random.choice(forms)
    url, body = random.choice(form.urls), make_body(form, random)
    headers = {"HX-Request": "true"} if random.random() < 0.3 else {}
    cookies = copy(admin_client.cookies)
    admin_client.raise_request_exception = False
    with transaction.atomic():
        response = admin_client.post(url, body, URLENCODED, headers=headers)
        transaction.set_rollback(True)
    admin_client.cookies = cookies
    assert response.status_code < 500, (url, body)
