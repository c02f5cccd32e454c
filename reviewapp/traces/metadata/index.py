"""The metadata index: which traces hold which key with which value.

A term is one key with one value's JSON text, a posting one trace that holds it. Each posting carries the signature of
its trace, two of 63 bits for each of its terms: whoever walks one term's postings sees by it which traces cannot hold
another term, and looks up only the rest. Writing goes through plain SQL, the same on SQLite and PostgreSQL: each save
of a review passes here, and sets of rows are what SQL is for.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import and_, or_
from typing import Any, NamedTuple, Protocol

from django.db import transaction
from django.db.models import BooleanField, F, Q, QuerySet
from django.db.models.expressions import RawSQL

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json, sql
from reviewapp.traces.models import MetadataKey, Posting, Term, Trace

# Counting further would cost more than it tells: a page then says "more than".
MAX_COUNT = 1_000
# Tallies that are added up in one transaction, and traces that are signed in one: savers wait for neither.
FOLD_BATCH_SIZE = 1_000
SIGN_BATCH_SIZE = 200
# Terms that are forgotten in one transaction, and such transactions at a time.
FORGOTTEN, FORGETS = 200, 10

# Locked, so that none is forgotten before its posting stands: PostgreSQL looks at foreign keys only at the end.
_TERMS = "SELECT digest, id FROM reviewapp_term WHERE project_id = %s AND digest IN [] FOR KEY SHARE"
_ADD_TERMS = "INSERT INTO reviewapp_term (project_id, key, value, digest, count)"
_HELD = "SELECT trace_id, term_id, start_time, signature FROM reviewapp_posting WHERE trace_id IN []"
_ADD_POSTINGS = "INSERT INTO reviewapp_posting (term_id, trace_id, start_time, signature)"
_OR_SIGN = """
    ON CONFLICT (term_id, trace_id) DO UPDATE SET start_time = excluded.start_time, signature = excluded.signature
"""
_SIGN = "UPDATE reviewapp_posting SET start_time = %s, signature = %s WHERE trace_id = %s"
_REMOVE = "DELETE FROM reviewapp_posting WHERE term_id = %s AND trace_id = %s"
_TALLY = "INSERT INTO reviewapp_tally (term_id, delta)"
_TALLIES = "SELECT id, term_id, delta FROM reviewapp_tally ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED"
_FORGET = "DELETE FROM reviewapp_tally WHERE id = %s"
_KEYS = "SELECT id, project_id, key FROM reviewapp_term WHERE id IN []"
_COUNT = "UPDATE reviewapp_term SET count = count + %s WHERE id = %s"
_COUNT_KEYS = "INSERT INTO reviewapp_key (project_id, name, count)"
_OR_ADD = "ON CONFLICT (project_id, name) DO UPDATE SET count = reviewapp_key.count + excluded.count"
# The number stands in the text: only so does SQLite know that the small index of such postings holds them all.
_UNSIGNED = "SELECT DISTINCT trace_id FROM reviewapp_posting WHERE signature = -1 LIMIT %s"
# A value and not EXISTS, of which PostgreSQL would make a join of all the postings of both.
_HOLDS = """
    (SELECT 1 FROM reviewapp_posting other
     WHERE other.term_id IN [] AND other.trace_id = reviewapp_posting.trace_id LIMIT 1) IS NOT NULL
"""
_UNHELD = """
    count = 0 AND id NOT IN (SELECT term_id FROM reviewapp_tally)
    AND NOT EXISTS (SELECT 1 FROM reviewapp_posting WHERE term_id = term.id)
"""
_FIND_UNHELD = f"SELECT id FROM reviewapp_term term WHERE {_UNHELD} ORDER BY id LIMIT %s FOR UPDATE OF term SKIP LOCKED"  # noqa: S608
_FORGET_TERMS = f"DELETE FROM reviewapp_term AS term WHERE {_UNHELD} AND id IN [] RETURNING id"  # noqa: S608
_LOCK = "SELECT id FROM reviewapp_trace WHERE id IN [] ORDER BY trace_id FOR UPDATE"
_DIGESTS = """
    SELECT posting.trace_id, posting.start_time, term.digest
    FROM reviewapp_posting posting JOIN reviewapp_term term ON term.id = posting.term_id WHERE posting.trace_id IN []
"""


class Placed(Protocol):
    """A trace as the index knows it; `start_time` may be the database's own text of a time."""

    @property
    def pk(self) -> int: ...
    @property
    def start_time(self) -> Any: ...


class _Known(NamedTuple):
    """A term that exists; `spread` is how many traces hold it, as far as that is added up."""

    pk: int
    digest: str
    spread: int


def set_members(project_id: int, rows: Iterable[tuple[Placed, Mapping[str, str]]]) -> None:
    """Make the index hold exactly these members (key -> JSON text) of these traces, whose rows are locked.

    A trace without a start time has no place in the index.
    """
    traces = {
        trace.pk: (trace, {compute_digest(*member): member for member in members.items()}) for trace, members in rows
    }
    terms = _terms(project_id, {digest: member for _, members in traces.values() for digest, member in members.items()})
    held: dict[int, dict[int, tuple[Any, int]]] = {pk: {} for pk in traces}
    for pk, term, start_time, signature in sql.fetch_rows_in(_HELD, list(traces)):
        held[pk][term] = (sql.to_db_value(start_time), signature)
    written: list[tuple[int, int, Any, int]] = []
    gone: list[tuple[int, int]] = []
    deltas: Counter[int] = Counter()
    for pk, (trace, members) in traces.items():
        place = (sql.to_db_value(trace.start_time), compute_signature(members))
        wanted = {terms[digest] for digest in members} if trace.start_time is not None else set()
        written += [(term, pk, *place) for term in wanted if held[pk].get(term) != place]
        gone += [(term, pk) for term in held[pk].keys() - wanted]
        deltas.update(wanted - held[pk].keys())
        deltas.subtract(held[pk].keys() - wanted)
    sql.execute_many(_REMOVE, gone)
    sql.insert(_ADD_POSTINGS, written, _OR_SIGN)
    sql.insert(_TALLY, [(term, delta) for term, delta in deltas.items() if delta])


def reindex(traces: Sequence[Trace]) -> None:
    """Make the index say what these traces' metadata now says; all are of one project, their rows locked."""
    if traces:
        set_members(traces[0].project_id, [(trace, canonical_json.raw_members(trace.metadata)) for trace in traces])


def matching(project: Project, pairs: Iterable[tuple[str, str]], within: Q | None = None) -> QuerySet[Any]:
    """The places (`start_time`, and `place`: its primary key) of the project's traces that hold every pair.

    `within` is a condition on both. A pair is a key and a filter's value. Laminar's rule of equality: the value is the
    stored string, or the stored JSON text. So `1` finds 1 and "1" but not 1.0, and a value in double quotes finds only
    the string.
    """
    asked = list(pairs)
    within = within or Q()
    if not asked:
        # Those not here have no start time, and PostgreSQL sorts them first: said so, it begins behind them.
        here = Trace.objects.filter(project=project, start_time__isnull=False).pulled()
        return here.annotate(place=F("pk")).filter(within)
    conditions = _conditions(project, asked)
    if not all(conditions):
        return Posting.objects.annotate(place=F("trace_id")).none()
    # The rarest leads: its postings are walked newest first, and few are looked at in vain.
    first, *others = sorted(conditions, key=lambda terms: sum(term.spread for term in terms))
    walks = [_walk(term, others).filter(within) for term in first]
    # Two spellings are two walks, each in order, which the database merges; as one they would have to be sorted.
    return walks[0].union(*walks[1:], all=True) if len(walks) > 1 else walks[0]


def fold_tallies() -> int:
    """Add waiting tallies to the counts of their terms and keys; how many there were."""
    with transaction.atomic():
        tallies = sql.fetch_rows(_TALLIES, FOLD_BATCH_SIZE)
        if not tallies:
            return 0
        deltas: Counter[int] = Counter()
        for _, term, delta in tallies:
            deltas[term] += delta
        keys: Counter[tuple[int, str]] = Counter()
        for term, project_id, key in sql.fetch_rows_in(_KEYS, list(deltas)):
            keys[project_id, key] += deltas[term]
        # In one order for everybody: two that add up wait for each other and never in a ring.
        sql.execute_many(_COUNT, [(deltas[term], term) for term in sorted(deltas)])
        sql.insert(_COUNT_KEYS, [(*key, keys[key]) for key in sorted(keys)], _OR_ADD)
        sql.execute_many(_FORGET, [(pk,) for pk, *_ in tallies])
    return len(tallies)


def sign_postings() -> int:
    """Sign postings that an older release wrote, with all others of their traces; of how many traces."""
    found = [pk for (pk,) in sql.fetch_rows(_UNSIGNED, SIGN_BATCH_SIZE)]
    if not found:
        return 0
    with transaction.atomic():
        sql.fetch_rows_in(_LOCK, found)
        digests: dict[tuple[int, Any], list[str]] = {}
        for pk, start_time, digest in sql.fetch_rows_in(_DIGESTS, found):
            digests.setdefault((pk, start_time), []).append(digest)
        sql.execute_many(_SIGN, [(start, compute_signature(held), pk) for (pk, start), held in digests.items()])
    return len(found)


def delete_unused_terms() -> int:
    """Remove terms that no trace holds any more, a bounded part; how many."""
    with transaction.atomic():
        # Whoever is about to hold one of them has locked it, or waits for us and makes it anew.
        locked = [pk for (pk,) in sql.fetch_rows(_FIND_UNHELD, FORGOTTEN)]
        # Asked again: until they were locked, somebody may have come to hold one.
        gone = len(sql.fetch_rows_in(_FORGET_TERMS, locked))
    if gone:
        MetadataKey.objects.filter(count=0).delete()
    return gone


def compact() -> int:
    """What the worker does for the index now and then; how much there was to do."""
    done = 0
    while (some := fold_tallies()) == FOLD_BATCH_SIZE:
        done += some
    done += some + sign_postings()
    for _ in range(FORGETS):
        done += (some := delete_unused_terms())
        if some < FORGOTTEN:
            break
    return done


def compute_digest(key: str, raw: str) -> str:
    """Thirty-two hex digits for a key with a value's JSON text, whatever their lengths."""
    # One spelling for a string, whichever characters its sender escaped.
    if raw.startswith('"') and "\\" in raw:
        try:
            raw = json.dumps(json.loads(raw), ensure_ascii=False)
        except ValueError:
            pass
    text = f"{key}\x00{raw}"
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def compute_signature(digests: Iterable[str]) -> int:
    """The bits of these terms, two each, in a number that both databases hold."""
    return reduce(or_, (1 << int(digest[:4], 16) % 63 | 1 << int(digest[4:8], 16) % 63 for digest in digests), 0)


def _terms(project_id: int, members: Mapping[str, tuple[str, str]]) -> dict[str, int]:
    """Primary keys of terms by their digests; those that are missing are made."""
    known = dict(sql.fetch_rows_in(_TERMS, project_id, list(members)))
    # In one order for everybody: two writers of the same terms wait for each other and never in a ring.
    missing = sorted(members.keys() - known.keys())
    if missing:
        rows = [(project_id, members[digest][0][:300], members[digest][1][:200], digest, 0) for digest in missing]
        known |= dict(sql.insert_returning(_ADD_TERMS, rows, "ON CONFLICT DO NOTHING RETURNING digest, id"))
        # What somebody else made meanwhile was not inserted.
        known |= _terms(project_id, {digest: members[digest] for digest in missing if digest not in known})
    return known


def _conditions(project: Project, pairs: Iterable[tuple[str, str]]) -> list[set[_Known]]:
    """For each key that is asked for, the terms one of which a trace must hold."""
    spelled = [
        (key, {compute_digest(key, value), compute_digest(key, json.dumps(value, ensure_ascii=False))})
        for key, value in pairs
    ]
    terms = Term.objects.filter(project=project, digest__in=set().union(*(digests for _, digests in spelled)))
    known = {term.digest: term for term in map(_Known._make, terms.values_list("pk", "digest", "count"))}
    found: dict[str, set[_Known]] = {}
    for key, digests in spelled:
        held = {known[digest] for digest in digests if digest in known}
        # A trace has one value for a key: two different ones are never together.
        found[key] = found[key] & held if key in found else held
    return list(found.values())


def _walk(term: _Known, others: Sequence[set[_Known]]) -> QuerySet[Any]:
    """The postings of a term whose traces hold one term of each of the others."""
    walk = Posting.objects.filter(term=term.pk).annotate(place=F("trace_id"))
    mask = reduce(or_, (reduce(and_, (compute_signature([other.digest]) for other in terms)) for terms in others), 0)
    if mask:
        walk = walk.filter(_raw("signature & %s = %s", mask, mask))
    for terms in others:
        walk = walk.filter(_raw(_HOLDS.replace("[]", sql.placeholders(terms)), *(other.pk for other in terms)))
    return walk


def _raw(test: str, *values: int) -> RawSQL:
    # Composing it of the ORM's expressions took three times as long as all of the walking.
    return RawSQL(test, values, BooleanField())  # noqa: S611 - nothing of it comes from outside
