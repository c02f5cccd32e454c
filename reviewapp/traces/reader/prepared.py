"""Transcripts rendered when their spans are pulled, so that opening a trace parses nothing.

A row is shown only by the version of the code that rendered it. The version orders renderers: a newer one renders
the rows of older ones anew, and an older one that runs beside it leaves the newer one's rows alone.
"""

import re
from functools import cache
from importlib import metadata

from reviewapp.traces.models import PreparedTranscript, Trace

# Increase by one whenever the code renders the same spans to other HTML, jumps or answer; a test compares.
FORMAT = 1
# The sanitiser first: when two releases run side by side, its version decides which of them is the newer one.
LIBRARIES = ("nh3", "markdown-it-py", "pygments", "mdurl")
# Of a row whose spans have changed since a newer version rendered it: older than every version.
STALE = ""


@cache
def version() -> str:
    """The version of this renderer: FORMAT and the numbers of each library, at most 32 characters."""
    return "/".join([str(FORMAT), *(_release(metadata.version(name)) for name in LIBRARIES)])


def get(trace: Trace) -> PreparedTranscript | None:
    """The transcript that this version of the code rendered for a trace."""
    return PreparedTranscript.objects.filter(trace=trace, version=version()).first()


def store(transcript: PreparedTranscript) -> None:
    """Store a transcript of new spans. The caller holds the trace's lock.

    The row of a newer version is not overwritten but marked stale: workers of that version render it again.
    """
    row = PreparedTranscript.objects.filter(trace=transcript.trace_id).only("version").first()
    if row is not None and _rank(row.version) > _rank(transcript.version):
        PreparedTranscript.objects.filter(pk=row.pk).update(version=STALE)
    else:
        transcript.save(force_insert=row is None, force_update=row is not None)


def select_outdated(limit: int) -> list[Trace]:
    """Traces whose transcript an older version rendered, the newest first."""
    older = [row for row in _stored_versions() if _rank(row) < _rank(version())]
    if not older:
        return []
    rows = (
        PreparedTranscript.objects.filter(version__in=older)
        .select_related("trace__project")
        .defer("html")
        .order_by("-pk")
    )
    return [row.trace for row in rows[:limit]]


def _stored_versions() -> list[str]:
    """All versions in the table: one look into the index for each, since most rows have the same."""
    versions: list[str] = []
    rows = PreparedTranscript.objects.order_by("version").values_list("version", flat=True)
    last = rows.first()
    while last is not None:
        versions.append(last)
        last = rows.filter(version__gt=last).first()
    return versions


def _release(version: str) -> str:
    """The numbers of a library's version, which is all that orders two of them: `0.3.8.post1` is `0.3.8.1`."""
    return ".".join(number[:4] for number in re.findall(r"[0-9]+", version)[:4])


def _rank(version: str) -> tuple[tuple[int, ...], ...]:
    """A version as something to compare. What is no version of ours, as from before there were any, is the oldest."""
    parts = [re.findall(r"[0-9]+", part) for part in version.split("/")]
    if len(parts) != 1 + len(LIBRARIES):
        return ()
    return tuple(tuple(int(number) for number in part) for part in parts)
