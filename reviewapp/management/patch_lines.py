"""Patches as a shell gives them: `key=value` words, or a file with one JSON object a line."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from reviewapp.delivery import patch_input
from reviewapp.delivery.patch_input import Handed, NotAPatch
from reviewapp.lib import canonical_json


@dataclass(slots=True)
class Lines:
    """A file that was read: its patches in order, and a sentence for each line that is none."""

    patches: list[Handed] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def of_words(trace_id: str, pairs: Sequence[str], tags: Sequence[str], prefix: str) -> Handed:
    """One patch of `key=value` words; a value that is JSON is that value, any other is a text. Raises NotAPatch."""
    patch = patch_input.checked(trace_id, patch_input.of_pairs(pairs), list(tags))
    return _named(patch, prefix, 1) if prefix else patch


def of_file(lines: Iterable[bytes], prefix: str) -> Lines:
    """The patches of JSON lines; empty lines are passed over.

    Each gets a name made of the prefix, its content and how often that came before in this file: the same file
    again is the same patches, and a line that comes back later in one file is a patch of its own.
    """
    read = Lines()
    seen: Counter[str] = Counter()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            patch = _of_line(line)
        except (NotAPatch, canonical_json.NotCanonical) as error:
            read.faults.append(f"Line {number}: {error}")
            continue
        seen[patch.digest] += 1
        read.patches.append(_named(patch, prefix, seen[patch.digest]))
    return read


def _of_line(line: bytes) -> Handed:
    patch = patch_input.read(canonical_json.parse(line))
    if patch.name:
        raise NotAPatch("A line takes no idempotency_key: lines are named by their content.")
    return patch


def _named(patch: Handed, prefix: str, count: int) -> Handed:
    said = f"{prefix}\n{patch.digest}\n{count}"
    name = hashlib.sha256(said.encode(errors="surrogateescape")).hexdigest()
    return replace(patch, name=f"push_metadata {name[:40]}")
