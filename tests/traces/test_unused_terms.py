"""Terms that no trace holds any more: they go, also beside saves that come to hold one."""

import threading
import time

import pytest
from django.db import transaction

from reviewapp.accounts.models import Project
from reviewapp.lib import sql
from reviewapp.traces.metadata import index, merge
from reviewapp.traces.models import MetadataKey, Posting, Term, Trace
from tests.factories import ProjectFactory, TraceFactory
from tests.threads import run_concurrently


def test_what_no_trace_holds_any_more_is_forgotten(project: Project) -> None:
    gone, stays = (TraceFactory.create(project=project, metadata=f'{{"a":{n},"k{n}":0}}') for n in range(2))
    index.set_members(project.pk, [(gone, {})])
    assert index.delete_unused_terms() == 0
    index.compact()
    assert set(Term.objects.values_list("key", "value", "count")) == {("a", "1", 1), ("k1", "0", 1)}
    assert set(MetadataKey.objects.values_list("name", "count")) == {("a", 1), ("k1", 1)}
    index.reindex([gone, stays])
    index.compact()
    assert set(MetadataKey.objects.values_list("name", "count")) == {("a", 2), ("k0", 1), ("k1", 1)}
    assert set(Term.objects.values_list("count", flat=True)) == {1}


def _unheld() -> tuple[Project, Trace]:
    """A project with a term that no trace holds, and a trace of it."""
    project = ProjectFactory.create()
    Term.objects.create(project=project, key="score", value="1", digest=index.compute_digest("score", "1"))
    return project, TraceFactory.create(project=project)


def _assert_held_once() -> None:
    index.compact()
    assert (Term.objects.get().count, MetadataKey.objects.get().count, Posting.objects.count()) == (1, 1, 1)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_term_is_not_forgotten_under_a_save_that_comes_to_hold_it() -> None:
    project, trace = _unheld()
    saving, forgotten = threading.Barrier(2), threading.Barrier(2)

    def save() -> None:
        with transaction.atomic():
            merge.apply_patch(project, merge.lock_trace(project, trace.trace_id), {"score": 1})
            saving.wait(timeout=10)
            forgotten.wait(timeout=10)

    def forget() -> None:
        saving.wait(timeout=10)
        assert index.delete_unused_terms() == 0
        forgotten.wait(timeout=10)

    run_concurrently([save, forget])
    _assert_held_once()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_save_makes_a_term_anew_that_is_forgotten_in_that_moment() -> None:
    project, trace = _unheld()
    forgotten = threading.Barrier(2)

    def save() -> None:
        with transaction.atomic():
            held = merge.lock_trace(project, trace.trace_id)
            forgotten.wait(timeout=10)
            merge.apply_patch(project, held, {"score": 1})

    def forget() -> None:
        with transaction.atomic():
            assert index.delete_unused_terms() == 1
            forgotten.wait(timeout=10)
            while not sql.fetch_rows("SELECT 1 FROM pg_locks WHERE NOT granted"):
                time.sleep(0.01)

    run_concurrently([save, forget])
    _assert_held_once()
