"""Unused terms are deleted, also while concurrent saves start to use one."""

import threading
import time

import pytest
from django.db import transaction

from reviewapp.accounts.models import Project
from reviewapp.lib import sql
from reviewapp.traces.filter_models import MetadataKey, Posting, Term
from reviewapp.traces.metadata import index, merge
from reviewapp.traces.models import Trace
from tests.factories import ProjectFactory, TraceFactory
from tests.threads import run_concurrently


def test_it_deletes_unused_terms_and_keys(project: Project) -> None:
    removed, other = (TraceFactory.create(project=project, metadata=f'{{"a":{n},"k{n}":0}}') for n in range(2))
    index.set_members(project.pk, [(removed, {})])
    assert index.delete_unused_terms() == 0
    index.compact()
    assert set(Term.objects.values_list("key", "value", "count")) == {("a", "1", 1), ("k1", "0", 1)}
    assert set(MetadataKey.objects.values_list("name", "count")) == {("a", 1), ("k1", 1)}
    index.reindex([removed, other])
    index.compact()
    assert set(MetadataKey.objects.values_list("name", "count")) == {("a", 2), ("k0", 1), ("k1", 1)}
    assert set(Term.objects.values_list("count", flat=True)) == {1}


def create_unused_term() -> tuple[Project, Trace]:
    """A project with an unused term, and a trace of it."""
    project = ProjectFactory.create()
    Term.objects.create(project=project, key="score", value="1", digest=index.compute_digest("score", "1"))
    return project, TraceFactory.create(project=project)


def assert_used_once() -> None:
    index.compact()
    assert (Term.objects.get().count, MetadataKey.objects.get().count, Posting.objects.count()) == (1, 1, 1)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_it_keeps_a_term_that_a_concurrent_save_uses() -> None:
    project, trace = create_unused_term()
    saved, deleted = threading.Barrier(2), threading.Barrier(2)

    def save() -> None:
        with transaction.atomic():
            merge.apply_patch(project, merge.lock_trace(project, trace.trace_id), {"score": 1})
            saved.wait(timeout=60)
            deleted.wait(timeout=60)

    def delete() -> None:
        saved.wait(timeout=60)
        assert index.delete_unused_terms() == 0
        deleted.wait(timeout=60)

    run_concurrently([save, delete])
    assert_used_once()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_it_recreates_a_term_that_is_deleted_during_a_save() -> None:
    project, trace = create_unused_term()
    deleted = threading.Barrier(2)

    def save() -> None:
        with transaction.atomic():
            locked = merge.lock_trace(project, trace.trace_id)
            deleted.wait(timeout=60)
            merge.apply_patch(project, locked, {"score": 1})

    def delete() -> None:
        with transaction.atomic():
            assert index.delete_unused_terms() == 1
            deleted.wait(timeout=60)
            while not sql.fetch_rows("SELECT 1 FROM pg_locks WHERE NOT granted"):
                time.sleep(0.01)

    run_concurrently([save, delete])
    assert_used_once()
