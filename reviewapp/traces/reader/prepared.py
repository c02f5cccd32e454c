"""Transcripts rendered when their spans are pulled, so that opening a trace parses nothing.

A row is shown only by the version of the code that rendered it. Versions are ordered: a newer one renders the rows of
older ones again, and an older one that runs at the same time does not touch the rows of newer ones.
"""

import re
from functools import cache
from importlib import metadata

from reviewapp.lib import sql
from reviewapp.traces import queries
from reviewapp.traces.models import PreparedTranscript, Trace

# Increase by one whenever the code renders the same spans to different HTML, jumps or answer; a test checks this.
FORMAT = 5
# The sanitiser comes first: when two releases run at the same time, its version decides which of them is newer.
LIBRARIES = ("nh3", "markdown-it-py", "pygments", "mdurl")
# The version of a row whose spans changed after a newer version rendered it: older than every version.
STALE = ""


@cache
def version() -> str:
    """Return the version of this renderer: FORMAT and the numbers of each library, at most 32 characters."""
    return "/".join([str(FORMAT), *(_release_numbers(metadata.version(name)) for name in LIBRARIES)])


def get(trace: Trace) -> PreparedTranscript | None:
    """Return the transcript that this version of the code rendered for a trace, if any."""
    return sql.fetch_first(PreparedTranscript, queries.TRANSCRIPT_OF_TRACE, trace.pk, version())


def store(transcript: PreparedTranscript) -> None:
    """Store the transcript of new spans. The caller must have locked the trace.

    A newer version's row is marked stale, not overwritten: workers of that version render it again.
    """
    row = PreparedTranscript.objects.filter(trace=transcript.trace_id).only("version").first()
    if row is not None and _rank(row.version) > _rank(transcript.version):
        PreparedTranscript.objects.filter(pk=row.pk).update(version=STALE)
    else:
        transcript.save(force_insert=row is None, force_update=row is not None)


def select_outdated(limit: int) -> list[Trace]:
    """Return traces whose transcript was rendered by an older version, newest first."""
    older_versions = [stored for stored in _stored_versions() if _rank(stored) < _rank(version())]
    if not older_versions:
        return []
    rows = (
        PreparedTranscript.objects.filter(version__in=older_versions)
        .select_related("trace__project")
        .defer("html")
        .order_by("-pk")
    )
    return [row.trace for row in rows[:limit]]


def _stored_versions() -> list[str]:
    """Return all versions in the table, with one index lookup each, since most rows share a version."""
    versions: list[str] = []
    rows = PreparedTranscript.objects.order_by("version").values_list("version", flat=True)
    last = rows.first()
    while last is not None:
        versions.append(last)
        last = rows.filter(version__gt=last).first()
    return versions


def _release_numbers(version: str) -> str:
    """Return the numbers of a library's version, enough to order two of them: `0.3.8.post1` becomes `0.3.8.1`."""
    return ".".join(number[:4] for number in re.findall(r"[0-9]+", version)[:4])


def _rank(version: str) -> tuple[tuple[int, ...], ...]:
    """Return a sort key for a version. Any other text, as from before versions existed, sorts as the oldest."""
    parts = [re.findall(r"[0-9]+", part) for part in version.split("/")]
    if len(parts) != 1 + len(LIBRARIES):
        return ()
    return tuple(tuple(int(number) for number in part) for part in parts)
