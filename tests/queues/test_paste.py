"""Parse pasted trace ids and links in every spelling, one per line; errors name their line."""

from uuid import UUID

import pytest

from reviewapp.queues.adding import MAX_ITEMS, Entry, parse_paste

ID = UUID("7c1e5d2a-9b3f-4c8d-a1e6-0f2b4d6c9f04")
OTHER = UUID(int=0xBEEF)

SPELLINGS = [
    str(ID), str(ID).upper(), ID.hex, ID.hex.upper(), f"{{{ID}}}", f"urn:uuid:{ID}", f"URN:UUID:{str(ID).upper()}",
    f"  {ID}  ", f"\t{ID}\t", f"{ID},",
]  # fmt: skip
LINKS = [
    f"https://laminar.sh/project/{OTHER}/traces/{ID}",
    f"https://laminar.sh/project/{OTHER}/traces/{ID}/",
    f"https://laminar.sh/project/{OTHER}/traces/{ID}?spanId={OTHER}",
    f"https://laminar.sh/project/{OTHER}/traces/{ID}?chat=true&search=a#b",
    f"https://laminar.sh/project/{OTHER}/traces?traceId={ID}",
    f"https://laminar.sh/project/{OTHER}/traces?pastHours=24&traceId={ID}&spanId={OTHER}",
    f"http://localhost:5667/project/{OTHER}/traces/{ID.hex}",
    f"https://host.test/below/a/path/project/{OTHER}/traces/{str(ID).upper()}",
    f"https://laminar.sh/shared/traces/{ID}",
]


@pytest.mark.parametrize("text", SPELLINGS + LINKS)
def test_it_parses_every_spelling(text: str) -> None:
    assert parse_paste(text).entries == [Entry(ID)]


@pytest.mark.parametrize("spelling", [SPELLINGS[0], SPELLINGS[4], LINKS[2]])
@pytest.mark.parametrize("separator", [",", ", ", " ", "\t", " , ", "   "])
def test_it_parses_a_reference(spelling: str, separator: str) -> None:
    assert parse_paste(f"{spelling}{separator}order 17, late").entries == [Entry(ID, reference="order 17, late")]


def test_it_keeps_the_commas_of_a_reference() -> None:
    assert parse_paste(f"{ID} a,b").entries[0].reference == "a,b"


def test_it_ignores_blank_lines() -> None:
    assert parse_paste(f"\n\n  \n{ID}\r\n\r\n\t\n").entries == [Entry(ID)]


def test_it_sets_the_reason_of_every_entry() -> None:
    assert parse_paste(str(ID), reason="a complaint").entries == [Entry(ID, reason="a complaint")]


def test_it_keeps_the_order() -> None:
    ids = [UUID(int=number) for number in (3, 1, 2)]

    assert [entry.trace_id for entry in parse_paste("\n".join(map(str, ids))).entries] == ids


INVALID = [
    "x", str(ID)[:-1], f"{ID}0", f"{{{ID}", f"{{{ID.hex}}}", f"urn:{ID}", "0" * 31, "g" * 32,
    "\u0667" * 32, f"{ID};a", "https://laminar.sh/", f"https://laminar.sh/traces/{str(ID)[:-1]}",
    f"https://laminar.sh/project/{ID}", f"javascript:/traces/{ID}", f"ftp://x/traces/{ID}",
]  # fmt: skip


@pytest.mark.parametrize("text", INVALID)
def test_it_refuses_other_texts(text: str) -> None:
    paste = parse_paste(text)

    assert paste.entries == []
    assert paste.errors[0].startswith("Line 1: “")


def test_it_names_each_invalid_line() -> None:
    paste = parse_paste(f"{ID}\n\nnot an id\n{OTHER}\n{OTHER} {'r' * 201}\n")

    assert [error.partition(":")[0] for error in paste.errors] == ["Line 3", "Line 5"]
    assert "longer than 200 characters" in paste.errors[1]


def test_it_counts_lines_as_an_editor_does() -> None:
    """A reference may contain characters that Python, but no editor, treats as the end of a line."""
    paste = parse_paste(f"{ID} one\x0btwo\u2028three\x85four\r\nx\rx\nx")

    assert [error.partition(":")[0] for error in paste.errors] == ["Line 2", "Line 3", "Line 4"]
    assert paste.entries[0].reference.startswith("one\x0btwo")


def test_it_accepts_a_thousand_lines() -> None:
    paste = parse_paste("\n".join(str(UUID(int=number)) for number in range(MAX_ITEMS)))

    assert (len(paste.entries), paste.errors) == (1_000, [])


def test_it_refuses_more_than_a_thousand_lines() -> None:
    paste = parse_paste("\n".join(str(UUID(int=number)) for number in range(MAX_ITEMS + 1)))

    assert paste.errors == ["This paste has 1,001 lines. The maximum is 1,000. Split it."]


def test_it_does_not_parse_a_paste_that_is_too_long() -> None:
    assert len(parse_paste("x\n" * 200_000).errors) == 1


@pytest.mark.parametrize("piece", ["/traces?", "/traces/", "&traceId=", "/traces?&", "#/traces/"])
def test_it_reads_a_long_link_once(piece: str) -> None:
    text = f"https://laminar.sh{piece * 100_000}"
    assert "is not a trace id" in parse_paste(text).errors[0]
