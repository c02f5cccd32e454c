"""The mirror's metadata and its index: kept in step, and asked by Laminar's own rule of equality.

Laminar keeps a trace's metadata as one JSON text and finds `key=value` where the value is the stored
string, or the stored JSON text. So `1` finds 1 and "1" but not 1.0, `true` finds true and "true", and
a value in double quotes finds only the string. The index holds each value's JSON text once; a filter's
value is looked up as that text and as the JSON text of a string.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, QuerySet

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json
from reviewapp.traces.models import Posting, Term, Trace

MAX_PAIRS = 12


class Pair(NamedTuple):
    """One exact condition of a filter view."""

    key: str
    value: str

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class NotAPair(ValueError):
    """A condition cannot be read; the message is a sentence for a person."""


def parse_pairs(texts: Sequence[str]) -> list[Pair]:
    """`key=value` texts as pairs; only the first `=` divides, so that values may hold more. Raises NotAPair."""
    pairs: list[Pair] = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise NotAPair(f"“{text[:80]}” is not a condition: write it as key=value.")
        if "\x00" in text:
            raise NotAPair("A condition holds a NUL character. Remove it.")
        if Pair(key, value) not in pairs:
            pairs.append(Pair(key, value))
    if len(pairs) > MAX_PAIRS:
        raise NotAPair(f"A view takes {MAX_PAIRS} conditions at most. Remove some.")
    return pairs


def merged(metadata: str, patch: Mapping[str, Any]) -> str:
    """A metadata text with a patch's keys on top, as Laminar merges: top-level keys, null kept, no key deleted."""
    members = canonical_json.raw_members(metadata)
    members.update({key: canonical_json.dumps(value) for key, value in patch.items()})
    return joined(members)


def without(metadata: str, patch: Mapping[str, Any]) -> str:
    """A metadata text without the members that equal the patch's."""
    members = canonical_json.raw_members(metadata)
    return joined({key: raw for key, raw in members.items() if key not in patch or raw != canonical_json.dumps(patch[key])})


def joined(members: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{raw}" for key, raw in members.items()) + "}"


def apply_patch(trace: Trace, patch: Mapping[str, Any]) -> None:
    """Put our values into the mirror at once, index included. `trace` is locked by the caller's transaction."""
    Trace.objects.filter(pk=trace.pk).update(
        metadata=merged(trace.metadata, patch), unconfirmed=merged(trace.unconfirmed, patch)
    )
    before = canonical_json.raw_members(trace.metadata)
    changed = {key: raw for key, raw in canonical_json.raw_members(merged("{}", patch)).items() if before.get(key) != raw}
    if trace.start_time is not None and changed:
        stale = Posting.objects.filter(trace=trace, term__key__in=list(changed))
        if any(key in before for key in changed):
            stale.delete()
        index([(trace, changed)])


def index(rows: Sequence[tuple[Trace, Mapping[str, str]]]) -> None:
    """Add postings for these members (key -> JSON text) of these traces of one project; those there are kept."""
    wanted = {(key[:300], _digest(raw)): raw for _, members in rows for key, raw in members.items()}
    if not wanted:
        return
    project_id = rows[0][0].project_id
    known = _terms(project_id, wanted)
    new = [
        Term(project_id=project_id, key=key, digest=digest, value=raw[:200])
        for (key, digest), raw in wanted.items()
        if (key, digest) not in known
    ]
    if new:
        Term.objects.bulk_create(new, ignore_conflicts=True)
        known = _terms(project_id, wanted)
    Posting.objects.bulk_create(
        [
            Posting(term_id=known[key[:300], _digest(raw)], trace=trace, start_time=trace.start_time)
            for trace, members in rows
            for key, raw in members.items()
        ],
        ignore_conflicts=True,
        batch_size=200,
    )


def reindex(rows: Sequence[Trace]) -> None:
    """Make the index say what these traces' metadata now says."""
    Posting.objects.filter(trace__in=rows).delete()
    index([(trace, canonical_json.raw_members(trace.metadata)) for trace in rows if trace.start_time is not None])


def matching(project: Project, pairs: Sequence[Pair]) -> QuerySet[Trace]:
    """The project's traces that hold every pair."""
    found = Trace.objects.filter(project=project).here()
    for pair in pairs:
        terms = list(
            Term.objects.filter(project=project, key=pair.key, digest__in=_spellings(pair.value)).values_list("pk", flat=True)
        )
        if not terms:
            return found.none()
        found = found.filter(Exists(Posting.objects.filter(term__in=terms, trace=OuterRef("pk"))))
    return found


def shown(raw: str) -> str:
    """A stored JSON text as the value one would write in a filter: a string without its quotes."""
    if raw.startswith('"'):
        try:
            return str(json.loads(raw))
        except ValueError:
            return raw
    return raw


def _spellings(value: str) -> list[str]:
    return list({_digest(value), _digest(json.dumps(value, ensure_ascii=False))})


def _digest(raw: str) -> str:
    # One spelling for a string, whichever characters its sender escaped.
    if raw.startswith('"') and "\\" in raw:
        try:
            raw = json.dumps(json.loads(raw), ensure_ascii=False)
        except ValueError:
            pass
    return Term.digest_of(raw)


def _terms(project_id: int, wanted: Mapping[tuple[str, str], str]) -> dict[tuple[str, str], int]:
    keys, digests = {key for key, _ in wanted}, {digest for _, digest in wanted}
    rows = Term.objects.filter(project_id=project_id, key__in=keys, digest__in=digests).values_list("key", "digest", "pk")
    return {(key, digest): pk for key, digest, pk in rows}
