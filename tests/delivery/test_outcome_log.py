"""What happens to deliveries is logged: warnings for what passes by itself, errors for what needs a person."""

import logging

import pytest

from reviewapp.accounts.models import Project
from reviewapp.delivery import confirmation, outbox, restore_guard, results, schedule
from reviewapp.delivery.models import Patch, State
from reviewapp.laminar import KeyRefused, LaminarError, RequestRefused, ServerError, TraceNotFound
from reviewapp.lib.log_summary import SummaryHandler
from tests.delivery.patches import TRACE_ID, end_push, lease_patch, make_due, put, put_many, reload
from tests.factories import PatchFactory


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("reviewapp"), "propagate", True)
    return caplog


@pytest.fixture
def patch(project: Project) -> Patch:
    return lease_patch(put(project, {"score": 1}))


@pytest.mark.parametrize(("error", "level", "text"), [
    (ServerError("No.", status=500), "WARNING", "delivery {pk} failed and is tried again: No."),
    (RequestRefused("No.", status=400), "ERROR", "delivery {pk} is parked: No."),
    (KeyRefused("No.", status=401), "ERROR", "pushing is stopped until an admin adds another key: No."),
])  # fmt: skip
def test_it_logs_a_failed_push(
    log: pytest.LogCaptureFixture, patch: Patch, error: LaminarError, level: str, text: str
) -> None:
    end_push(patch, error)
    assert [(record.levelname, record.getMessage()) for record in log.records] == [
        (level, f"Project support: {text.format(pk=patch.pk)}")
    ]


def test_it_logs_no_trace_that_may_still_be_ingested(log: pytest.LogCaptureFixture, patch: Patch) -> None:
    end_push(patch, TraceNotFound("Not there.", status=404))
    assert log.records == []


@pytest.mark.parametrize("state", [State.WAITING, State.ACCEPTED])
def test_it_logs_what_a_newer_patch_parks(log: pytest.LogCaptureFixture, project: Project, state: State) -> None:
    unreadable = PatchFactory.create(project=project, trace_id=TRACE_ID, metadata="{broken", state=state)
    put(project, {"score": 1})
    assert_parked(log, unreadable, outbox.UNREADABLE_MESSAGE)


def test_it_logs_what_a_read_back_parks(log: pytest.LogCaptureFixture, project: Project) -> None:
    unreadable = PatchFactory.create(project=project, metadata="{broken", state=State.ACCEPTED)
    confirmation.record_readback([unreadable], {}, 0.1)
    assert_parked(log, unreadable, outbox.UNREADABLE_MESSAGE)


def test_it_logs_an_internal_error_of_a_read_back(log: pytest.LogCaptureFixture, project: Project) -> None:
    accepted = PatchFactory.create(project=project, state=State.ACCEPTED)
    confirmation.record_internal_error(accepted)
    assert_parked(log, accepted, confirmation.INTERNAL_ERROR_MESSAGE)


def test_it_logs_a_push_that_cannot_be_recorded(log: pytest.LogCaptureFixture, patch: Patch) -> None:
    end_push(patch, ServerError("No.", status=-1))
    assert_parked(log, patch, results.UNRECORDED_MESSAGE)


def assert_parked(log: pytest.LogCaptureFixture, patch: Patch, reason: str) -> None:
    assert reload(patch).state == State.PARKED
    line = f"Project support: delivery {patch.pk} is parked: {reason}"
    assert [record.levelname for record in log.records if record.getMessage() == line] == ["ERROR"]


def test_it_logs_a_breaker_that_opens(log: pytest.LogCaptureFixture, project: Project) -> None:
    for row in put_many(project, schedule.BREAKER_THRESHOLD):
        make_due(row)
        end_push(lease_patch(row), ServerError("No.", status=500))
    assert "pushing is stopped until" in log.records[-2].getMessage()
    assert log.records[-2].levelname == "WARNING"


def test_it_logs_a_paused_project(log: pytest.LogCaptureFixture, project: Project, patch: Patch) -> None:
    restore_guard.pause_delivery(Project.objects.all(), "worker")
    assert [record.levelname for record in log.records] == ["ERROR"]
    assert "delivery was paused by worker" in log.text


def test_it_writes_several_failures_as_one_line(
    capsys: pytest.CaptureFixture[str], project: Project, patch: Patch
) -> None:
    logger, handler = logging.getLogger("reviewapp.delivery"), SummaryHandler()
    logger.addHandler(handler)
    for row in [patch, *map(lease_patch, put_many(project, 3))]:
        end_push(row, ServerError("No.", status=500))
    logger.removeHandler(handler)
    assert capsys.readouterr().err.count("tried again") == 1
