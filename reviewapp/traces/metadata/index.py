"""The metadata index: which traces have which key with which value.

A term is one key with one value's JSON text; a posting is one trace that has the term. Each posting carries the
signature of its trace, two of 63 bits for each of the trace's terms: a scan of one term's postings uses it to rule out
traces that cannot have another term, and looks up only the rest. Writes are plain SQL that runs on SQLite and
PostgreSQL alike: every save of a review passes here and needs few, set-based statements.
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

# Counts stop above this number, where counting costs more than it is worth: a page then shows "more than".
MAX_COUNT = 1_000
# Tallies that are added up, and traces that are signed, in one transaction: small enough that saves do not wait.
FOLD_BATCH_SIZE = 1_000
SIGN_BATCH_SIZE = 200
# Unused terms that are deleted in one transaction, and most such transactions in one run of `compact`.
DELETE_BATCH_SIZE, MAX_DELETE_BATCHES = 200, 10

# Locks the terms, so that none is deleted before its posting is inserted: PostgreSQL checks foreign keys only at the
# end of the transaction.
_LOCK_TERMS = "SELECT digest, id FROM reviewapp_term WHERE project_id = %s AND digest IN [] FOR KEY SHARE"
_ADD_TERMS = "INSERT INTO reviewapp_term (project_id, key, value, digest, count)"
_POSTINGS = "SELECT trace_id, term_id, start_time, signature FROM reviewapp_posting WHERE trace_id IN []"
_ADD_POSTINGS = "INSERT INTO reviewapp_posting (term_id, trace_id, start_time, signature)"
_OR_UPDATE_POSTING = """
    ON CONFLICT (term_id, trace_id) DO UPDATE SET start_time = excluded.start_time, signature = excluded.signature
"""
_SET_SIGNATURE = "UPDATE reviewapp_posting SET start_time = %s, signature = %s WHERE trace_id = %s"
_DELETE_POSTING = "DELETE FROM reviewapp_posting WHERE term_id = %s AND trace_id = %s"
_ADD_TALLIES = "INSERT INTO reviewapp_tally (term_id, delta)"
_TALLIES = "SELECT id, term_id, delta FROM reviewapp_tally ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED"
_DELETE_TALLY = "DELETE FROM reviewapp_tally WHERE id = %s"
_TERM_KEYS = "SELECT id, project_id, key FROM reviewapp_term WHERE id IN []"
_UPDATE_COUNT = "UPDATE reviewapp_term SET count = count + %s WHERE id = %s"
_ADD_KEYS = "INSERT INTO reviewapp_key (project_id, name, count)"
_OR_ADD_COUNT = "ON CONFLICT (project_id, name) DO UPDATE SET count = reviewapp_key.count + excluded.count"
# A literal, not a parameter: only then can SQLite use the small partial index on unsigned postings.
_UNSIGNED = "SELECT DISTINCT trace_id FROM reviewapp_posting WHERE signature = -1 LIMIT %s"
# A scalar subquery, because PostgreSQL turns EXISTS into a join of all postings of both terms.
_HAS_TERM = """
    (SELECT 1 FROM reviewapp_posting other
     WHERE other.term_id IN [] AND other.trace_id = reviewapp_posting.trace_id LIMIT 1) IS NOT NULL
"""
_IS_UNUSED = """
    count = 0 AND id NOT IN (SELECT term_id FROM reviewapp_tally)
    AND NOT EXISTS (SELECT 1 FROM reviewapp_posting WHERE term_id = term.id)
"""
_LOCK_UNUSED_TERMS = (
    f"SELECT id FROM reviewapp_term term WHERE {_IS_UNUSED} "  # noqa: S608
    "ORDER BY id LIMIT %s FOR UPDATE OF term SKIP LOCKED"
)
_DELETE_UNUSED_TERMS = f"DELETE FROM reviewapp_term AS term WHERE {_IS_UNUSED} AND id IN [] RETURNING id"  # noqa: S608
_LOCK_TRACES = "SELECT id FROM reviewapp_trace WHERE id IN [] ORDER BY trace_id FOR UPDATE"
_DIGESTS = """
    SELECT posting.trace_id, posting.start_time, term.digest
    FROM reviewapp_posting posting JOIN reviewapp_term term ON term.id = posting.term_id WHERE posting.trace_id IN []
"""


class IndexedTrace(Protocol):
    """A trace as the index needs it; `start_time` may be a datetime or the database's own text of one."""

    @property
    def pk(self) -> int: ...
    @property
    def start_time(self) -> Any: ...


class _KnownTerm(NamedTuple):
    """An existing term; `trace_count` leaves out tallies that are not added up yet."""

    pk: int
    digest: str
    trace_count: int


def set_members(project_id: int, rows: Iterable[tuple[IndexedTrace, Mapping[str, str]]]) -> None:
    """Index exactly these members (key -> JSON text) for these traces, whose rows must be locked.

    A trace without a start time is not indexed.
    """
    traces = {
        trace.pk: (trace, {compute_digest(*member): member for member in members.items()}) for trace, members in rows
    }
    term_pks = _get_or_create_terms(
        project_id, {digest: member for _, members in traces.values() for digest, member in members.items()}
    )
    stored: dict[int, dict[int, tuple[Any, int]]] = {pk: {} for pk in traces}
    for pk, term, start_time, signature in sql.fetch_rows_in(_POSTINGS, list(traces)):
        stored[pk][term] = (sql.to_db_value(start_time), signature)
    upserts: list[tuple[int, int, Any, int]] = []
    deletes: list[tuple[int, int]] = []
    deltas: Counter[int] = Counter()
    for pk, (trace, members) in traces.items():
        values = (sql.to_db_value(trace.start_time), compute_signature(members))
        terms = {term_pks[digest] for digest in members} if trace.start_time is not None else set()
        upserts += [(term, pk, *values) for term in terms if stored[pk].get(term) != values]
        deletes += [(term, pk) for term in stored[pk].keys() - terms]
        deltas.update(terms - stored[pk].keys())
        deltas.subtract(stored[pk].keys() - terms)
    sql.execute_many(_DELETE_POSTING, deletes)
    sql.insert(_ADD_POSTINGS, upserts, _OR_UPDATE_POSTING)
    sql.insert(_ADD_TALLIES, [(term, delta) for term, delta in deltas.items() if delta])


def reindex(traces: Sequence[Trace]) -> None:
    """Index the current metadata of these traces; all of one project, their rows locked."""
    if traces:
        set_members(traces[0].project_id, [(trace, canonical_json.raw_members(trace.metadata)) for trace in traces])


def matching(project: Project, pairs: Iterable[tuple[str, str]], within: Q | None = None) -> QuerySet[Any]:
    """The project's traces that have every pair: rows with `start_time`, and the trace's primary key as `place`.

    `within` is a condition on those two columns. A pair is a key and a filter value, which matches as in Laminar: it
    equals the stored string or the stored JSON text. So `1` finds 1 and "1" but not 1.0, and a value in double quotes
    finds only the string.
    """
    pairs = list(pairs)
    within = within or Q()
    if not pairs:
        # Traces not pulled yet have no start time, and PostgreSQL sorts nulls first: exclude them explicitly, so that
        # the index scan begins behind them.
        pulled = Trace.objects.filter(project=project, start_time__isnull=False).pulled()
        return pulled.annotate(place=F("pk")).filter(within)
    conditions = _find_terms(project, pairs)
    if not all(conditions):
        return Posting.objects.annotate(place=F("trace_id")).none()
    # Scan the postings of the rarest condition, newest first: fewest rows are read in vain.
    rarest, *others = sorted(conditions, key=lambda terms: sum(term.trace_count for term in terms))
    scans = [_scan_postings(term, others).filter(within) for term in rarest]
    # Two spellings are two ordered scans that the database merges; a single scan would have to be sorted.
    return scans[0].union(*scans[1:], all=True) if len(scans) > 1 else scans[0]


def fold_tallies() -> int:
    """Add a batch of tallies to the counts of their terms and keys. Returns the number of tallies."""
    with transaction.atomic():
        tallies = sql.fetch_rows(_TALLIES, FOLD_BATCH_SIZE)
        if not tallies:
            return 0
        deltas: Counter[int] = Counter()
        for _, term, delta in tallies:
            deltas[term] += delta
        key_deltas: Counter[tuple[int, str]] = Counter()
        for term, project_id, key in sql.fetch_rows_in(_TERM_KEYS, list(deltas)):
            key_deltas[project_id, key] += deltas[term]
        # Fixed order, so concurrent runs cannot deadlock.
        sql.execute_many(_UPDATE_COUNT, [(deltas[term], term) for term in sorted(deltas)])
        sql.insert(_ADD_KEYS, [(*key, key_deltas[key]) for key in sorted(key_deltas)], _OR_ADD_COUNT)
        sql.execute_many(_DELETE_TALLY, [(pk,) for pk, *_ in tallies])
    return len(tallies)


def sign_postings() -> int:
    """Sign all postings of a batch of traces that an older release indexed. Returns the number of traces."""
    pks = [pk for (pk,) in sql.fetch_rows(_UNSIGNED, SIGN_BATCH_SIZE)]
    if not pks:
        return 0
    with transaction.atomic():
        sql.fetch_rows_in(_LOCK_TRACES, pks)
        by_trace: dict[tuple[int, Any], list[str]] = {}
        for pk, start_time, digest in sql.fetch_rows_in(_DIGESTS, pks):
            by_trace.setdefault((pk, start_time), []).append(digest)
        sql.execute_many(
            _SET_SIGNATURE,
            [(start_time, compute_signature(digests), pk) for (pk, start_time), digests in by_trace.items()],
        )
    return len(pks)


def delete_unused_terms() -> int:
    """Delete a batch of terms that no trace has any more. Returns their number."""
    with transaction.atomic():
        # A save that is about to use one of them has locked it, or waits for this transaction and creates it again.
        locked = [pk for (pk,) in sql.fetch_rows(_LOCK_UNUSED_TERMS, DELETE_BATCH_SIZE)]
        # Check again: a save may have used one before it was locked here.
        count = len(sql.fetch_rows_in(_DELETE_UNUSED_TERMS, locked))
    if count:
        MetadataKey.objects.filter(count=0).delete()
    return count


def compact() -> int:
    """Do the worker's periodic maintenance of the index. Returns the number of rows processed."""
    total = 0
    while (count := fold_tallies()) == FOLD_BATCH_SIZE:
        total += count
    total += count + sign_postings()
    for _ in range(MAX_DELETE_BATCHES):
        total += (count := delete_unused_terms())
        if count < DELETE_BATCH_SIZE:
            break
    return total


def compute_digest(key: str, raw: str) -> str:
    """32 hex digits that identify a key with a value's JSON text of any length."""
    # Normalise the escapes of a string: equal strings have equal digests.
    if raw.startswith('"') and "\\" in raw:
        try:
            raw = json.dumps(json.loads(raw), ensure_ascii=False)
        except ValueError:
            pass
    text = f"{key}\x00{raw}"
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def compute_signature(digests: Iterable[str]) -> int:
    """Two bits for each of these terms, in a non-negative number of 63 bits, which both databases can store."""
    return reduce(or_, (1 << int(digest[:4], 16) % 63 | 1 << int(digest[4:8], 16) % 63 for digest in digests), 0)


def _get_or_create_terms(project_id: int, members: Mapping[str, tuple[str, str]]) -> dict[str, int]:
    """Primary keys of the terms with these digests; creates the missing ones."""
    term_pks = dict(sql.fetch_rows_in(_LOCK_TERMS, project_id, list(members)))
    # Fixed order, so concurrent writers of the same terms cannot deadlock.
    missing = sorted(members.keys() - term_pks.keys())
    if missing:
        rows = [(project_id, members[digest][0][:300], members[digest][1][:200], digest, 0) for digest in missing]
        term_pks |= dict(sql.insert_returning(_ADD_TERMS, rows, "ON CONFLICT DO NOTHING RETURNING digest, id"))
        # A term that somebody else created meanwhile was not inserted: read it.
        conflicts = {digest: members[digest] for digest in missing if digest not in term_pks}
        term_pks |= _get_or_create_terms(project_id, conflicts)
    return term_pks


def _find_terms(project: Project, pairs: Iterable[tuple[str, str]]) -> list[set[_KnownTerm]]:
    """For each key of the pairs, the terms of which a trace must have one."""
    spellings = [
        (key, {compute_digest(key, value), compute_digest(key, json.dumps(value, ensure_ascii=False))})
        for key, value in pairs
    ]
    rows = Term.objects.filter(project=project, digest__in=set().union(*(digests for _, digests in spellings)))
    by_digest = {term.digest: term for term in map(_KnownTerm._make, rows.values_list("pk", "digest", "count"))}
    by_key: dict[str, set[_KnownTerm]] = {}
    for key, digests in spellings:
        terms = {by_digest[digest] for digest in digests if digest in by_digest}
        # A trace has one value for a key: two different values of one key match nothing.
        by_key[key] = by_key[key] & terms if key in by_key else terms
    return list(by_key.values())


def _scan_postings(term: _KnownTerm, others: Sequence[set[_KnownTerm]]) -> QuerySet[Any]:
    """The postings of a term whose traces also have one term of each of the other sets."""
    postings = Posting.objects.filter(term=term.pk).annotate(place=F("trace_id"))
    mask = reduce(or_, (reduce(and_, (compute_signature([other.digest]) for other in terms)) for terms in others), 0)
    if mask:
        postings = postings.filter(_raw_condition("signature & %s = %s", mask, mask))
    for terms in others:
        condition = _HAS_TERM.replace("[]", sql.placeholders(terms))
        postings = postings.filter(_raw_condition(condition, *(other.pk for other in terms)))
    return postings


def _raw_condition(condition: str, *values: int) -> RawSQL:
    # Raw SQL, because building this from ORM expressions took three times as long as the whole scan.
    return RawSQL(condition, values, BooleanField())  # noqa: S611 - constant text, values are parameters
