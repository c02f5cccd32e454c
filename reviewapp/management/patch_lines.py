"""Parse patches from a shell: `key=value` arguments, or a file with one JSON object per line."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from reviewapp.delivery import patch_validation
from reviewapp.delivery.patch_validation import InvalidPatchError, PatchInput
from reviewapp.lib import canonical_json


@dataclass(slots=True)
class ParsedPatches:
    """The patches of a file in order, and an error message for each line that is not a patch."""

    patches: list[PatchInput] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def patch_from_arguments(trace_id: str, pairs: Sequence[str], tags: Sequence[str], prefix: str) -> PatchInput:
    """Parse a patch from `key=value` arguments. A value that is not JSON is a string. Raises InvalidPatchError."""
    patch = patch_validation.build_patch_input(trace_id, patch_validation.parse_pairs(pairs), list(tags))
    return _add_idempotency_key(patch, prefix, 1) if prefix else patch


def patches_from_lines(lines: Iterable[bytes], prefix: str) -> ParsedPatches:
    """Parse patches from JSON lines; empty lines are skipped.

    An idempotency key is made of the prefix, the content and its number of occurrences so far. So the same file gives
    the same patches, and a line that is repeated in one file gives separate patches.
    """
    parsed = ParsedPatches()
    occurrences: Counter[str] = Counter()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            patch = _parse_line(line)
        except (InvalidPatchError, canonical_json.InvalidJSONError) as error:
            parsed.errors.append(f"Line {number}: {error}")
            continue
        occurrences[patch.digest] += 1
        parsed.patches.append(_add_idempotency_key(patch, prefix, occurrences[patch.digest]))
    return parsed


def _parse_line(line: bytes) -> PatchInput:
    patch = patch_validation.parse_patch_input(canonical_json.parse_input(line))
    if patch.idempotency_key:
        raise InvalidPatchError("A line cannot have an idempotency_key: it is derived from the line's content.")
    return patch


def _add_idempotency_key(patch: PatchInput, prefix: str, occurrence: int) -> PatchInput:
    content = f"{prefix}\n{patch.digest}\n{occurrence}"
    digest = hashlib.sha256(content.encode(errors="surrogateescape")).hexdigest()
    return replace(patch, idempotency_key=f"push_metadata {digest[:40]}")
