from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewapp.lib import trace_ids
from reviewapp.lib.trace_ids import InvalidTraceIdError

ID = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")


@given(st.uuids(), st.sampled_from(["{0}", "{0.hex}", "{{{0}}}", "urn:uuid:{0}"]), st.booleans())
def test_it_reads_every_spelling(trace_id: UUID, spelling: str, is_upper: bool) -> None:
    text = spelling.format(trace_id)

    assert trace_ids.parse(f" {text.upper() if is_upper else text}\n") == trace_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0f8fad5b",
        f"{ID}0",
        f"{ID}\n{ID}",
        f"{{{ID.hex}}}",
        f"{{{ID}",
        "0f8fad5bd9cb-469f-a165-70867728950e",
        "../0f8fad5b-d9cb-469f-a165-70867728950e",
        "\N{ARABIC-INDIC DIGIT ZERO}f8fad5b-d9cb-469f-a165-70867728950e",
        "gf8fad5b-d9cb-469f-a165-70867728950e",
    ],
)
def test_it_refuses_other_texts(text: str) -> None:
    with pytest.raises(InvalidTraceIdError, match="is not a trace id"):
        trace_ids.parse(text)


def test_it_shortens_a_long_text_in_the_error() -> None:
    with pytest.raises(InvalidTraceIdError) as error:
        trace_ids.parse("x" * 10_000)

    assert len(str(error.value)) < 200
