"""Patches as a shell gives them: `key=value` words, or a file with one JSON object a line."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from reviewapp.delivery import patch_input
from reviewapp.delivery.patch_input import InvalidPatchError, PatchInput
from reviewapp.lib import canonical_json


@dataclass(slots=True)
class ParsedPatches:
    """A file that was read: its patches in order, and a sentence for each line that is none."""

    patches: list[PatchInput] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def patch_from_arguments(trace_id: str, pairs: Sequence[str], tags: Sequence[str], prefix: str) -> PatchInput:
    """One patch of `key=value` words; a value that is JSON is that value, any other is a text. Raises NotAPatch."""
    patch = patch_input.build_patch_input(trace_id, patch_input.parse_pairs(pairs), list(tags))
    return _named(patch, prefix, 1) if prefix else patch


def patches_from_lines(lines: Iterable[bytes], prefix: str) -> ParsedPatches:
    """The patches of JSON lines; empty lines are passed over.

    Each gets a name made of the prefix, its content and how often that came before in this file: the same file
    again is the same patches, and a line that comes back later in one file is a patch of its own.
    """
    read = ParsedPatches()
    seen: Counter[str] = Counter()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            patch = _of_line(line)
        except (InvalidPatchError, canonical_json.InvalidJSONError) as error:
            read.faults.append(f"Line {number}: {error}")
            continue
        seen[patch.digest] += 1
        read.patches.append(_named(patch, prefix, seen[patch.digest]))
    return read


def _of_line(line: bytes) -> PatchInput:
    patch = patch_input.parse_patch_input(canonical_json.parse(line))
    if patch.idempotency_key:
        raise InvalidPatchError("A line takes no idempotency_key: lines are named by their content.")
    return patch


def _named(patch: PatchInput, prefix: str, count: int) -> PatchInput:
    said = f"{prefix}\n{patch.digest}\n{count}"
    name = hashlib.sha256(said.encode(errors="surrogateescape")).hexdigest()
    return replace(patch, idempotency_key=f"push_metadata {name[:40]}")
