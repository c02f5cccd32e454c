"""The rubric editor, its preview, and the stored versions."""

import json
import re
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils.html import escape

from reviewapp.accounts.models import User
from reviewapp.audit.models import AuditEvent
from reviewapp.queues.models import Queue, Rubric
from reviewapp.queues.rubric import criteria, versions
from reviewapp.queues.rubric.criteria import Criterion, Option
from reviewapp.queues.rubric.editor import ROW_FIELDS, open_editor
from reviewapp.queues.rubric.option_keys import OPTION_LETTERS
from tests.threads import run_concurrently

URL = "/p/support/queues/answers/rubric/"
SCALE = {"question": "Is it right?", "score_min": "0", "score_max": "1", "score_step": "0.01", "guideline": ""}
TONE = {"label": "Tone of voice", "kind": "choice", "options": "kind\ncurt: Short, to the point: rude."}
STARS = {"label": "Stars", "key": "stars", "kind": "number", "low": "1", "high": "5", "step": "0.5"}
HTMX = {"HX-Request": "true"}


def build_form_data(*rows: dict[str, str], **changes: str) -> dict[str, Any]:
    columns = {name: [row.get(name, "") for row in rows] for name in ROW_FIELDS}
    return {**SCALE, "version": "1", "act": "save", **columns, **changes}


@pytest.fixture
def post(queue: Queue, lead_client: Client) -> Any:
    return lambda *rows, **changes: lead_client.post(URL, build_form_data(*rows, **changes))


def test_it_shows_the_current_rubric(queue: Queue, lead_client: Client) -> None:
    queue.criteria = criteria.dump_criteria([Criterion("tone", "Tone", "choice", options=(Option("curt", "Rude."),))])
    queue.save()
    page = lead_client.get(URL).text

    assert 'value="0.01"' in page
    assert "\ncurt: Rude.</textarea>" in page


@pytest.mark.parametrize("words", ["0: \x00", "\x000: bad", "x" * 6_001])
def test_it_refuses_score_words_that_cannot_be_stored(post: Any, queue: Queue, words: str) -> None:
    response = post(score_words=words)
    assert response.status_code == 422
    assert "What scores mean: " in response.context["errors"][0]
    assert words in response.context["editor"].scale["score_words"]
    queue.refresh_from_db()
    assert queue.rubric_version == 1


def test_it_previews_a_rubric_with_score_words_that_cannot_be_stored(lead_client: Client, queue: Queue) -> None:
    url = "/p/support/queues/answers/rubric/preview/"
    response = lead_client.post(url, build_form_data(STARS, score_words="0: \x00"))
    assert (response.status_code, "Stars" in response.text) == (200, True)


def test_it_saves_the_next_version(post: Any, queue: Queue) -> None:
    response = post(TONE, {**STARS, "is_required": "yes"}, score_max="5", score_step="1", guideline="# Be strict")
    queue.refresh_from_db()

    assert (response.status_code, response["Location"]) == (302, "/p/support/queues/answers/")
    assert (queue.rubric_version, queue.score_max, queue.guideline) == (2, Decimal(5), "# Be strict")
    tone, stars = queue.parsed_criteria
    assert (tone.key, tone.options) == ("tone_of_voice", (Option("kind"), Option("curt", "Short, to the point: rude.")))
    assert (stars.low, stars.step, stars.is_required) == (Decimal(1), Decimal("0.5"), True)


def test_it_stores_the_meanings_of_scores(post: Any, queue: Queue, lead_client: Client) -> None:
    post(STARS, score_words="0: invented\n1,0: right: and complete")
    queue.refresh_from_db()

    assert queue.score_words == (Option("0", "invented"), Option("1", "right: and complete"))
    assert [criterion.key for criterion in queue.parsed_criteria] == ["stars"]
    assert "0: invented\n1: right: and complete</textarea>" in lead_client.get(URL).text


@pytest.mark.parametrize("words", ["2: too high", "good: a word", "0: once\n0.0: twice", "1e400: huge"])
def test_it_refuses_meanings_of_other_values_than_scores(post: Any, queue: Queue, words: str) -> None:
    response = post(score_words=words)

    assert response.status_code == 422
    assert "What scores mean: " in response.text
    assert words in response.text


def test_it_stores_the_meanings_of_yes_and_no(post: Any, queue: Queue) -> None:
    post({"label": "Polite", "kind": "yes_no", "options": "no: rude or cold"})
    queue.refresh_from_db()

    assert queue.parsed_criteria[0].yes_no_options == (Option("yes"), Option("no", "rude or cold"))


def test_it_refuses_meanings_of_other_answers_than_yes_and_no(post: Any) -> None:
    assert "answered yes or no" in post({"label": "Polite", "kind": "yes_no", "options": "maybe: unsure"}).text


def test_it_stores_every_version(post: Any, queue: Queue) -> None:
    post(STARS)
    post(question="Kind?", version="2")
    texts = {rubric.version: json.loads(rubric.text) for rubric in Rubric.objects.filter(queue=queue)}

    assert [texts[version]["question"] for version in (1, 2, 3)] == ["", "Is it right?", "Kind?"]
    assert [len(texts[version]["criteria"]) for version in (1, 2, 3)] == [0, 1, 0]
    queue.refresh_from_db()
    assert versions.queue_at_version(queue, 2).parsed_criteria[0].label == "Stars"


def test_it_records_the_changes(post: Any) -> None:
    post(STARS)
    event = AuditEvent.objects.get()

    assert (event.verb, event.target, event.actor_name) == ("changed rubric", "queue:answers", "lead")
    assert event.detail == '{"changed":["question","criteria"],"version":2}'


def test_it_stores_no_version_without_changes(post: Any, queue: Queue) -> None:
    post(question="")
    assert not Rubric.objects.exists()
    assert not AuditEvent.objects.exists()


def test_it_refuses_an_outdated_version(post: Any, queue: Queue) -> None:
    post(STARS)
    response = post(TONE, guideline="Mine <b>")
    queue.refresh_from_db()

    assert response.status_code == 409
    assert "Not saved. lead changed this rubric after you opened it" in response.text
    assert "Mine &lt;b&gt;</textarea>" in response.text
    assert 'name="version" value="2"' in response.text
    assert (queue.rubric_version, queue.parsed_criteria[0].key) == (2, "stars")


@pytest.mark.django_db(transaction=True)
def test_it_saves_one_of_two_concurrent_changes(queue: Queue, lead: User) -> None:
    def change(question: str) -> str:
        edited = Queue.objects.get(pk=queue.pk)
        edited.question = question
        try:
            versions.save_rubric(edited, lead, version=1)
        except versions.StaleRubricError:
            return "refused"
        return "saved"

    assert sorted(run_concurrently([partial(change, text) for text in ("a", "b")])) == ["refused", "saved"]
    assert Rubric.objects.count() == 2


ACTIONS = [
    ("add-number", ["tone", "stars", ""]), ("remove-0", ["stars"]), ("up-1", ["stars", "tone"]),
    ("down-0", ["stars", "tone"]), ("up-0", ["tone", "stars"]), ("down-1", ["tone", "stars"]),
    ("remove-7", ["tone", "stars"]), ("nonsense", ["tone", "stars"]), ("up-x", ["tone", "stars"]),
]  # fmt: skip


@pytest.mark.parametrize(("action", "keys"), ACTIONS)
def test_it_adds_removes_and_moves_without_saving(post: Any, action: str, keys: list[str]) -> None:
    response = post({**TONE, "key": "tone"}, {**STARS, "low": "not yet"}, act=action)

    assert re.findall(r'name="key" .* value="(.*?)"', response.text) == keys
    assert response.status_code == 200
    assert not Rubric.objects.exists()


def test_it_applies_a_preset(post: Any) -> None:
    page = post(act="preset-1-5", question="Mine?").text
    assert 'name="score_max" inputmode="decimal" autocomplete="off" value="5"' in page
    assert 'value="Mine?"' in page


RANGE = "The highest score must be above the lowest."
STEP = "The step must be above 0 and divide the range from lowest to highest score evenly."
NUMBER = "Enter a number."
REFUSED: list[tuple[dict[str, str], str]] = [
    ({"score_min": "1", "score_max": "1"}, RANGE),
    ({"score_min": "2"}, RANGE),
    ({"score_step": "0"}, STEP),
    ({"score_step": "-0.5"}, STEP),
    ({"score_step": "0.3"}, STEP),
    ({"score_step": "2"}, STEP),
    ({"score_max": "NaN"}, NUMBER),
    ({"score_max": "Infinity"}, NUMBER),
    ({"score_min": "-Infinity"}, NUMBER),
    ({"score_max": "1e400"}, "Ensure that there are no more than"),
    ({"score_max": "1" * 20}, "Ensure that there are no more than"),
    ({"score_step": "0.00001"}, "Ensure that there are no more than"),
    ({"score_min": ""}, "This field is required."),
    ({"question": "x" * 401}, "at most 400 characters"),
    ({"question": "a\x00b"}, "Null characters are not allowed."),
    ({"guideline": "x" * 20_001}, "at most 20000 characters"),
    ({"label": ""}, "Criterion 1: Label: This field is required."),
    ({"label": "x" * 121}, "at most 120 characters"),
    ({"label": "¿?"}, "Enter a key of letters and digits"),
    ({"key": "two words"}, "Use letters, digits"),
    ({"key": "score"}, "have the same metadata key “score”"),
    ({"kind": "stars"}, "Select a valid choice"),
    ({"options": "\n"}, "has no options"),
    ({"kind": "number", "low": "NaN"}, "Low: Enter a number."),
    ({"kind": "number", "low": "2", "high": "1"}, "the highest number must be above the lowest"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED, ids=str)
def test_it_refuses(post: Any, queue: Queue, changes: dict[str, str], message: str) -> None:
    row = {**TONE, **{name: value for name, value in changes.items() if name in ROW_FIELDS}}
    response = post(row, **{name: value for name, value in changes.items() if name in SCALE})
    version = queue.rubric_version
    queue.refresh_from_db()

    assert response.status_code == 422
    assert escape(message) in response.text
    assert "curt: Short, to the point: rude." in response.text or "options" in changes
    assert (queue.rubric_version, queue.criteria) == (version, "[]")


FOREIGN: list[dict[str, Any]] = [
    {}, {"act": "add"}, {"label": ["a", "b"], "key": ["a"]}, {"version": "9" * 30}, {"question": "a\x00b"},
]  # fmt: skip


@pytest.mark.parametrize("data", FOREIGN, ids=str)
def test_it_handles_forms_it_did_not_render(queue: Queue, lead_client: Client, data: dict[str, Any]) -> None:
    assert lead_client.post(URL, data).status_code in {200, 422}
    assert lead_client.post(f"{URL}preview/", data).status_code == 200


def test_it_adds_no_more_than_the_maximum_number_of_rows(post: Any) -> None:
    page = post(*[STARS] * 20, act="add-text").text
    assert page.count('name="key"') == 20
    assert 'value="add-' not in page


def test_it_previews_unsaved_changes(queue: Queue, lead_client: Client) -> None:
    data = build_form_data(
        TONE, {**STARS, "low": "not yet"}, {"label": "Better", "kind": "correction"}, guideline="**Strict**"
    )
    page = lead_client.post(f"{URL}preview/", data, headers=HTMX).text

    assert 'data-criterion="tone_of_voice"' in page
    assert 'data-criterion="stars"' not in page
    assert "answer is shown here for the reviewer" in page
    assert "<strong>Strict</strong>" in page
    assert "<html" not in page


def test_it_previews_with_the_saved_scale_when_the_new_one_is_invalid(queue: Queue, lead_client: Client) -> None:
    response = lead_client.post(f"{URL}preview/", build_form_data(TONE, score_step="0"))
    assert response.status_code == 200
    assert "in steps of 0.01" in response.text


def test_it_refuses_reviewers(queue: Queue, reviewer_client: Client) -> None:
    assert reviewer_client.get(URL).status_code == 403
    assert reviewer_client.post(f"{URL}preview/").status_code == 403


def test_it_refuses_a_form_with_incomplete_rows_and_keeps_them(post: Any, queue: Queue) -> None:
    response = post({"label": "First", "kind": "text"}, {"label": "Second", "kind": "text"}, help=["only one"])
    assert response.status_code == 422
    assert "without all of their fields" in response.text
    assert [row["label"] for row in response.context["editor"].rows] == ["First", "Second"]


def test_it_refuses_a_line_separator_inside_an_option_and_keeps_it(post: Any, queue: Queue) -> None:
    response = post({"label": "First", "kind": "choice", "options": "a\u2028b\r\nc"})
    assert response.status_code == 422
    assert "U+2028" in response.text
    assert response.context["editor"].rows[0]["options"] == "a\u2028b\r\nc"


def test_it_asks_for_reasons_and_shows_each_criterion_once(post: Any, queue: Queue, lead_client: Client) -> None:
    post({**TONE, "asks_reason": "yes"}, STARS)
    queue.refresh_from_db()

    assert [criterion.key for criterion in queue.parsed_criteria] == ["tone_of_voice", "tone_of_voice_reason", "stars"]
    rows = lead_client.get(URL).context["editor"].rows
    assert [row["asks_reason"] for row in rows] == ["yes", ""]


def test_it_adds_a_first_error_with_its_keys_and_a_reason(post: Any, queue: Queue) -> None:
    row = open_editor(queue).apply_action("add-first_error").rows[0]
    post({**row, "asks_reason": "yes"})
    queue.refresh_from_db()
    assert queue.pushed_keys[-3:] == ["fail_step", "fail_quote", "fail_reason"]


def test_it_refuses_the_key_of_a_reason_for_another_criterion(post: Any, queue: Queue) -> None:
    response = post({**TONE, "key": "tone", "asks_reason": "yes"}, {**STARS, "key": "tone_reason"})

    assert response.status_code == 422
    assert "have the same metadata key “tone_reason”" in response.context["errors"][0]


def test_it_uses_no_letter_of_a_shortcut_for_an_option() -> None:
    source = (settings.BASE_DIR / "static/js/shortcuts.js").read_text()
    keys = {key for group in re.findall(r"keys: \[([^]]*)\]", source) for key in re.findall(r'"(.)"', group)}

    assert {"n", "w", "x"} <= keys
    assert not keys & set(OPTION_LETTERS)
