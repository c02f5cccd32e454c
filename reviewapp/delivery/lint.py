"""Check metadata before it is pushed: errors and warnings as sentences for the author of the program."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json
from reviewapp.lib.shortening import shorten
from reviewapp.traces.filter_models import Term

# Bytes of a patch as it is pushed, its keys, and characters per key.
MAX_BYTES = 64 * 1024
MAX_KEYS = 200
MAX_KEY_LENGTH = 200
# A filter by a key with more values than this finds few traces; only this many keys per call are checked for it.
MAX_DISTINCT_VALUES = 100
MAX_KEYS_CHECKED = 50
# A longer text is not meant to be filtered by. In characters.
MAX_FILTER_TEXT_LENGTH = 60


class Finding(NamedTuple):
    """A refusal prevents the metadata from being pushed, a warning does not."""

    severity: Literal["refusal", "warning"]
    sentence: str


def lint(metadata: Mapping[str, Any]) -> list[Finding]:
    """Returns the refusals, or if there are none the warnings, for parsed metadata whose numbers are not normalised."""
    refusals = list(_find_refusals(metadata))
    if refusals:
        return [Finding("refusal", sentence) for sentence in refusals]
    size = len(canonical_json.dumps(metadata).encode())
    if size > MAX_BYTES:
        sentence = f"The metadata has {size:,} bytes; the limit for one patch is {MAX_BYTES:,}. Shorten it."
        return [Finding("refusal", sentence)]
    return [Finding("warning", sentence) for key, value in metadata.items() for sentence in _find_warnings(key, value)]


def warn_high_cardinality(project: Project, patches: Iterable[Mapping[str, Any]]) -> list[str]:
    """Returns a warning for each key of these patches that has too many different values to be a good filter."""
    keys = sorted({key for metadata in patches for key, value in metadata.items() if _is_filterable(value)})
    return [
        f"“{_printable(key)}” has had more than {MAX_DISTINCT_VALUES} different values in this project, so filtering by"
        " one of them finds few traces. If people should filter by it, push a coarser value too."
        for key in keys[:MAX_KEYS_CHECKED]
        if Term.objects.filter(project=project, key=key)[: MAX_DISTINCT_VALUES + 1].count() > MAX_DISTINCT_VALUES
    ]


def _find_refusals(metadata: Mapping[str, Any]) -> Iterator[str]:
    if not metadata:
        yield "The metadata is empty. Add at least one key."
    if len(metadata) > MAX_KEYS:
        yield f"The metadata has {len(metadata):,} keys; the limit for one patch is {MAX_KEYS}."
    for key, value in metadata.items():
        if not key:
            yield "A key is empty. Give it a name."
        if len(key) > MAX_KEY_LENGTH:
            yield f"The key “{_printable(key)}” is longer than {MAX_KEY_LENGTH} characters."
        try:
            canonical_json.dumps({key: value})
        except canonical_json.InvalidJSONError as error:
            yield f"“{_printable(key)}”: {error}"


def _find_warnings(key: str, value: Any) -> Iterator[str]:
    name, nested = _printable(key), list(_walk(value))
    if isinstance(value, dict):
        yield (
            f"“{name}” is an object: the next push of this key replaces all of it, and a filter finds it only by its"
            " exact text. Flat keys are merged and found one by one."
        )
    elif any(isinstance(item, dict) for item in nested):
        yield f"“{name}” contains an object: a filter finds it only by its whole text. Flat keys are found one by one."
    floats = [canonical_json.dumps(item) for item in nested if isinstance(item, float)]
    verb = "is" if isinstance(value, float) else "contains"
    if any("e" in text for text in floats):
        yield (
            f"“{name}” {verb} a number with an exponent, which Laminar may spell differently. A filter compares text"
            " and may miss it."
        )
    if any(text.lstrip("-").isdigit() for text in floats):
        yield (
            f"“{name}” {verb} a whole number with a decimal point, such as 1.0, and is pushed without it, as 1."
            " Filter by 1: Laminar compares text, so 1.0 does not find it."
        )


def _walk(value: Any) -> Iterator[Any]:
    """The value and every value nested in it."""
    yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        yield from _walk(item)


def _is_filterable(value: Any) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, str) and len(value) <= MAX_FILTER_TEXT_LENGTH)


def _printable(key: str) -> str:
    return shorten(key, 80).encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
