"""The metadata index: which traces hold which key with which value.

A term is one key with one value's JSON text, a posting one trace that holds it. Writing goes through plain
SQL, the same on SQLite and PostgreSQL: each save of a review passes here, and sets of rows are what SQL is for.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from django.db import connection
from django.db.models import Exists, F, OuterRef, QuerySet

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json, sql
from reviewapp.traces.models import Posting, Term, Trace

# Counting further would cost more than it tells: a page then says "more than", and pairs count as equally common.
COUNTED = 1_000
SPREAD = 20_000
_ADD_TERM = """
    INSERT INTO reviewapp_term (project_id, key, value, digest) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_ADD_POSTING = """
    INSERT INTO reviewapp_posting (term_id, trace_id, start_time)
    SELECT id, %s, %s FROM reviewapp_term WHERE project_id = %s AND digest = %s ON CONFLICT DO NOTHING
"""


class Placed(Protocol):
    """A trace as the index knows it; `start_time` may be the database's own text of a time."""

    @property
    def pk(self) -> int: ...
    @property
    def start_time(self) -> Any: ...


def add(project_id: int, rows: Iterable[tuple[Placed, Mapping[str, str]]]) -> None:
    """Add these members (key -> JSON text) of these traces; a trace without a start time has no place in the index."""
    terms: dict[str, tuple[int, str, str, str]] = {}
    postings = []
    for trace, members in rows:
        if trace.start_time is None:
            continue
        start_time = sql.bound(trace.start_time)
        for key, raw in members.items():
            digest = digest_of(key, raw)
            terms[digest] = (project_id, key[:300], raw[:200], digest)
            postings.append((trace.pk, start_time, project_id, digest))
    if postings:
        with connection.cursor() as cursor:
            # In one order for everybody: two writers of the same terms wait for each other and never in a ring.
            cursor.executemany(_ADD_TERM, [terms[digest] for digest in sorted(terms)])
            cursor.executemany(_ADD_POSTING, postings)


def remove(project_id: int, trace_pk: int, members: Mapping[str, str]) -> None:
    """Take these members of a trace out of the index."""
    digests = [digest_of(key, raw) for key, raw in members.items()]
    Posting.objects.filter(trace=trace_pk, term__project=project_id, term__digest__in=digests).delete()


def reindex(traces: Sequence[Trace]) -> None:
    """Make the index say what these traces' metadata now says; all are of one project."""
    if not traces:
        return
    Posting.objects.filter(trace__in=traces).delete()
    add(traces[0].project_id, [(trace, canonical_json.raw_members(trace.metadata)) for trace in traces])


def matching(project: Project, pairs: Iterable[tuple[str, str]]) -> QuerySet[Any]:
    """The places (`start_time`, and `place`: its primary key) of the project's traces that hold every pair.

    A pair is a key and a filter's value. Laminar's rule of equality: the value is the stored string, or the stored
    JSON text. So `1` finds 1 and "1" but not 1.0, and a value in double quotes finds only the string.
    """
    terms = [_terms(project, key, value) for key, value in pairs]
    if not terms:
        return Trace.objects.filter(project=project).here().annotate(place=F("pk"))
    # The rarest pair leads: its postings are walked newest first, and few are looked at in vain.
    first, *others = sorted(terms, key=_spread) if len(terms) > 1 else terms
    found = Posting.objects.filter(term=first[0]) if len(first) == 1 else Posting.objects.filter(term__in=first)
    for other in others:
        found = found.filter(Exists(Posting.objects.filter(term__in=other, trace=OuterRef("trace"))))
    return found.annotate(place=F("trace_id"))


def digest_of(key: str, raw: str) -> str:
    """Thirty-two hex digits for a key with a value's JSON text, whatever their lengths."""
    # One spelling for a string, whichever characters its sender escaped.
    if raw.startswith('"') and "\\" in raw:
        try:
            raw = json.dumps(json.loads(raw), ensure_ascii=False)
        except ValueError:
            pass
    text = f"{key}\x00{raw}"
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _terms(project: Project, key: str, value: str) -> list[int]:
    spellings = {digest_of(key, value), digest_of(key, json.dumps(value, ensure_ascii=False))}
    return list(Term.objects.filter(project=project, digest__in=spellings).values_list("pk", flat=True))


def _spread(terms: Sequence[int]) -> int:
    """How many traces hold one of these terms, counted no further than matters."""
    return Posting.objects.filter(term__in=terms)[:SPREAD].count()
