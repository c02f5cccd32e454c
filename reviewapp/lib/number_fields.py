"""Form fields that take a number as a person writes it. Django's also take 1_0, -0 and other scripts' digits."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

_NUMBER = re.compile(r"(?!-[0.,]*\Z)-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


class PlainIntegerField(forms.IntegerField):
    def to_python(self, value: Any) -> int | None:
        _check_spelling(value, self.error_messages["invalid"], point=False)
        return super().to_python(value)


class PlainDecimalField(forms.DecimalField):
    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]
        _check_spelling(value, self.error_messages["invalid"])
        return super().to_python(value)


def make_field(db_field: "models.Field[Any, Any]", **kwargs: Any) -> forms.Field | None:
    """The `formfield_callback` of a model form."""
    if isinstance(db_field, models.DecimalField):
        kwargs["form_class"] = PlainDecimalField
    elif isinstance(db_field, models.IntegerField):
        kwargs["form_class"] = PlainIntegerField
    return db_field.formfield(**kwargs)


def _check_spelling(value: Any, sentence: Any, *, point: bool = True) -> None:
    """Raises ValidationError for a text that is no plain number; an empty one is no error here."""
    text = value.strip() if isinstance(value, str) else ""
    if text and not (_NUMBER.fullmatch(text) and (point or "." not in text)):
        raise ValidationError(sentence, code="invalid")
