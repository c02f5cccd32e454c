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
from django.db.models import BooleanField, Exists, F, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL

from reviewapp.accounts.models import Project
from reviewapp.lib import canonical_json, sql
from reviewapp.lib.batches import batched
from reviewapp.traces import queries
from reviewapp.traces.filter_models import MetadataKey, Posting, Tally, Term
from reviewapp.traces.models import Trace

# Counts stop above this number, where counting costs more than it is worth: a page then shows "more than".
MAX_COUNT = 1_000
# Tallies that are added up, and traces that are signed, in one transaction: small enough that saves do not wait.
FOLD_BATCH_SIZE = 1_000
SIGN_BATCH_SIZE = 200
# Unused terms that are deleted in one transaction, and most such transactions in one run of `compact`.
DELETE_BATCH_SIZE, MAX_DELETE_BATCHES = 200, 10


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
    for pk, term, start_time, signature in sql.fetch_rows_in(queries.POSTINGS, list(traces)):
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
    sql.execute_many(queries.DELETE_POSTING, deletes)
    sql.insert(queries.INSERT_POSTINGS, upserts, queries.UPDATE_CONFLICTS)
    sql.insert(queries.INSERT_TALLIES, [(term, delta) for term, delta in deltas.items() if delta])


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
        waiting = Tally.objects.select_for_update(skip_locked=True).order_by("pk")
        tallies = list(waiting.values_list("pk", "term", "delta")[:FOLD_BATCH_SIZE])
        if not tallies:
            return 0
        deltas: Counter[int] = Counter()
        for _, term, delta in tallies:
            deltas[term] += delta
        key_deltas: Counter[tuple[int, str]] = Counter()
        for batch in batched(list(deltas)):
            for term, project_id, key in Term.objects.filter(pk__in=batch).values_list("pk", "project", "key"):
                key_deltas[project_id, key] += deltas[term]
        # Fixed order, so concurrent runs cannot deadlock.
        sql.execute_many(queries.ADD_TO_COUNT, [(deltas[term], term) for term in sorted(deltas)])
        rows = [(*key, key_deltas[key]) for key in sorted(key_deltas)]
        sql.insert(queries.INSERT_KEYS, rows, queries.ADD_TO_CONFLICTS)
        for batch in batched([pk for pk, *_ in tallies]):
            Tally.objects.filter(pk__in=batch).delete()
    return len(tallies)


def sign_postings() -> int:
    """Sign all postings of a batch of traces that an older release indexed. Returns the number of traces."""
    pks = [pk for (pk,) in sql.fetch_rows(queries.UNSIGNED_TRACES, SIGN_BATCH_SIZE)]
    if not pks:
        return 0
    with transaction.atomic():
        list(Trace.objects.filter(pk__in=pks).order_by("trace_id").select_for_update().values_list("pk"))
        by_trace: dict[int, list[str]] = {}
        for pk, digest in Posting.objects.filter(trace__in=pks).values_list("trace__pk", "term__digest"):
            by_trace.setdefault(pk, []).append(digest)
        for pk, digests in by_trace.items():
            Posting.objects.filter(trace=pk).update(signature=compute_signature(digests))
    return len(pks)


def delete_unused_terms() -> int:
    """Delete a batch of terms that no trace has any more. Returns their number."""
    with transaction.atomic():
        # A save that is about to use one of them has locked it, or waits for this transaction and creates it again.
        unused = Term.objects.filter(~Exists(Tally.objects.filter(term=OuterRef("pk"))), count=0)
        unused = unused.filter(~Exists(Posting.objects.filter(term=OuterRef("pk"))))
        locked = unused.order_by("pk").select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)
        # Check again: a save may have used one before it was locked here.
        count, _ = unused.filter(pk__in=list(locked[:DELETE_BATCH_SIZE])).delete()
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
    term_pks = dict(sql.fetch_rows_in(queries.LOCK_TERMS, project_id, list(members)))
    # Fixed order, so concurrent writers of the same terms cannot deadlock.
    missing = sorted(members.keys() - term_pks.keys())
    if missing:
        rows = [(project_id, members[digest][0][:300], members[digest][1][:200], digest, 0) for digest in missing]
        term_pks |= dict(sql.insert_returning(queries.INSERT_TERMS, rows, queries.SKIP_CONFLICTS))
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
        postings = postings.filter(_raw_condition(queries.HAS_SIGNATURE, mask, mask))
    for terms in others:
        condition = queries.HAS_TERM.replace("[]", sql.placeholders(terms))
        postings = postings.filter(_raw_condition(condition, *(other.pk for other in terms)))
    return postings


def _raw_condition(condition: str, *values: int) -> RawSQL:
    # Raw SQL, because building this from ORM expressions took three times as long as the whole scan.
    return RawSQL(condition, values, BooleanField())  # noqa: S611 - constant text, values are parameters
