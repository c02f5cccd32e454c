"""Get a project's trace or saved view for a view. One that does not exist or is not the user's to see is a 404."""

from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.http import Http404

from reviewapp.accounts.models import Project, User
from reviewapp.traces.filter_models import SavedView, TraceTag
from reviewapp.traces.filters import saved_views
from reviewapp.traces.models import Trace


def get_trace_or_404(project: Project, trace_id: UUID) -> Trace:
    """Return the project's trace from the mirror. Raises Http404."""
    # The stubs of Django allow no annotation with the name of a declared attribute.
    traces: Any = Trace.objects.with_readability().filter(project=project, trace_id=trace_id)
    trace: Trace | None = traces.annotate(has_tags=Exists(TraceTag.objects.filter(trace=OuterRef("pk")))).first()
    if trace is None:
        raise Http404("This trace has not been pulled from Laminar. Add it to a queue to pull it.")
    trace.project = project
    return trace


def get_saved_view_or_404(project: Project, user: User, pk: int) -> SavedView:
    """Return a view that the user may see. Raises Http404."""
    view = saved_views.visible_to(project, user).filter(pk=pk).first()
    if view is None:
        raise Http404("This view does not exist. It may have been deleted.")
    view.project = project
    return view
