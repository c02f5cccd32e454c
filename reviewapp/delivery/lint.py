"""What is wrong, or unwise, about metadata before it is pushed: findings as sentences for whoever wrote the program."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json
from reviewapp.traces.models import Term

# Bytes of the whole as it is pushed; keys; and characters of a key.
SIZE = 64 * 1024
KEYS = 200
KEY = 200
# A key with more values than these finds few traces by each; of so many keys a call is told.
VALUES = 100
KEYS_LOOKED_AT = 50
# A text that is longer was not written to filter by.
SHORT = 60


class Finding(NamedTuple):
    """A refusal keeps the metadata from being pushed, a warning does not."""

    severity: Literal["refusal", "warning"]
    sentence: str


def lint(metadata: Mapping[str, Any]) -> list[Finding]:
    """What is to be said of metadata as it was parsed, before its numbers get their one spelling; refusals first."""
    refusals = list(_refusals(metadata))
    if refusals:
        return [Finding("refusal", sentence) for sentence in refusals]
    size = len(canonical_json.dumps(metadata).encode())
    if size > SIZE:
        return [Finding("refusal", f"The metadata has {size:,} bytes; {SIZE:,} at most go in one patch. Shorten it.")]
    return [Finding("warning", sentence) for key, value in metadata.items() for sentence in _warnings(key, value)]


def warn_high_cardinality(project: Project, patches: Iterable[Mapping[str, Any]]) -> list[str]:
    """A warning for each key of these patches that has had too many different values here to be a good filter."""
    keys = sorted({key for metadata in patches for key, value in metadata.items() if _is_to_filter_by(value)})
    return [
        f"“{_shown(key)}” has had more than {VALUES} different values in this project, so that a filter by one finds"
        " few traces. Push a coarser value beside it if people are to filter by it."
        for key in keys[:KEYS_LOOKED_AT]
        if Term.objects.filter(project=project, key=key)[: VALUES + 1].count() > VALUES
    ]


def _refusals(metadata: Mapping[str, Any]) -> Iterator[str]:
    if not metadata:
        yield "The metadata is empty: give at least one key."
    if len(metadata) > KEYS:
        yield f"The metadata has {len(metadata):,} keys; {KEYS} at most go in one patch."
    for key, value in metadata.items():
        if not key:
            yield "A key is empty: give it a name."
        if len(key) > KEY:
            yield f"The key “{_shown(key)}” is longer than {KEY} characters."
        try:
            canonical_json.dumps({key: value})
        except canonical_json.InvalidJSONError as error:
            yield f"“{_shown(key)}”: {error}"


def _warnings(key: str, value: Any) -> Iterator[str]:
    name, within = _shown(key), list(_within(value))
    if isinstance(value, dict):
        yield (
            f"“{name}” is an object: Laminar replaces it whole at the next push and finds it by its exact text only."
            " Flat keys are merged and found one by one."
        )
    elif any(isinstance(item, dict) for item in within):
        yield f"“{name}” holds an object: Laminar finds it by the whole text only. Flat keys are found one by one."
    pushed = [canonical_json.dumps(item) for item in within if isinstance(item, float)]
    has = "is" if isinstance(value, float) else "holds"
    if any("e" in text for text in pushed):
        yield (
            f"“{name}” {has} a number with an exponent, which Laminar may spell in another way: a filter compares texts"
            " and may miss it."
        )
    if any(text.lstrip("-").isdigit() for text in pushed):
        yield (
            f"“{name}” {has} a whole number written with a point, as 1.0, and is pushed without it, as 1."
            " Filter by 1: Laminar compares texts, and 1.0 does not find it."
        )


def _within(value: Any) -> Iterator[Any]:
    """The value and all that is in it."""
    yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        yield from _within(item)


def _is_to_filter_by(value: Any) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, str) and len(value) <= SHORT)


def _shown(key: str) -> str:
    return key[:80].encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
