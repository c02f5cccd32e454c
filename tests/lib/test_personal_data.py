"""Finding personal data takes time in proportion to the text, whatever it contains."""

import pytest

from reviewapp.lib import personal_data
from reviewapp.lib.personal_data import describe_findings, find_personal_data, mask_personal_data
from tests.regex_steps import count_steps

HOSTILE = (
    "eyJ-", "eyJaaaaaaaa.", "sk-", "a@", "a@b.", "@b.cc", "password: ", "token ", "api_key=", "-----BEGIN A",
    "1 ", "+1-", "01 1", "DE12 ", "A1B2 ", "x", " ",
)  # fmt: skip
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"


@pytest.mark.parametrize("piece", HOSTILE)
def test_it_takes_steps_in_proportion_to_the_text(piece: str) -> None:
    for pattern in personal_data.PATTERNS:
        short, long = (count_steps(pattern.regex, (piece * size)[:size]) for size in (600, 1_200))
        assert long < 2.3 * short, pattern.regex.pattern


@pytest.mark.parametrize("text", [f"use {TOKEN}", f"eyJ-{TOKEN}"])
def test_it_finds_a_web_token(text: str) -> None:
    assert [finding.kind for finding in find_personal_data(text)] == ["a secret"]


@pytest.mark.parametrize("text", ["eyJ-" * 20, "eyJaaaaaaaa.bbbbbbbb", "eyJaaaaaaaa.b.c"])
def test_it_finds_no_web_token_in_less_than_three_parts(text: str) -> None:
    assert find_personal_data(text) == []


def test_it_masks_many_parts_and_ignores_those_of_the_trace() -> None:
    addresses = [f"user{number}@example.org" for number in range(2_000)]
    masked = mask_personal_data(" ".join(addresses), known=f"Ask {addresses[7]}, she knows.")
    assert masked.split("[e-mail address]")[7].strip() == addresses[7]
    assert masked.count("[e-mail address]") == 1_999


def test_it_counts_many_findings_by_kind() -> None:
    text = "card 4111 1111 1111 1111, " + "ann@example.org " * personal_data.MAX_DESCRIPTIONS
    assert describe_findings(find_personal_data(text), text) == ["a card number", "an e-mail address (20 times)"]
