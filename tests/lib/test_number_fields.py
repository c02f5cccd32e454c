"""Number fields take what a person writes, and no other spelling."""

import pytest
from django.core.exceptions import ValidationError

from reviewapp.lib.number_fields import PlainDecimalField, PlainIntegerField


@pytest.mark.parametrize("text", ["1_0", "٣", "３", "-0", "-0.0", "+1", "0x1", "1,0", "NaN", "1.", "--1", "1 0"])
@pytest.mark.parametrize("field", [PlainIntegerField(), PlainDecimalField()])
def test_it_refuses_another_spelling(field: PlainIntegerField | PlainDecimalField, text: str) -> None:
    with pytest.raises(ValidationError, match=r"Enter a (whole )?number"):
        field.clean(text)


def test_it_refuses_a_fraction_for_a_whole_number() -> None:
    with pytest.raises(ValidationError):
        PlainIntegerField().clean("5.0")


@pytest.mark.parametrize("text", ["0", "5", "-5", " 5 ", "05", "1000000"])
def test_it_takes_a_whole_number(text: str) -> None:
    assert PlainIntegerField().clean(text) == int(text)


@pytest.mark.parametrize(
    ("text", "number"), [("0.50", 0.5), (".5", 0.5), ("-0.25", -0.25), ("-10", -10), ("0.0", 0), ("1e1", 10)]
)
def test_it_takes_a_decimal_number(text: str, number: float) -> None:
    assert PlainDecimalField().clean(text) == number
