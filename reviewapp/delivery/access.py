"""Get a project's delivery or bulk push for a view. One that does not exist or belongs to another project is a 404."""

from collections.abc import Sequence

from django.http import Http404

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Bulk, Patch
from reviewapp.lib.unknown_ids import describe_unknown, split_known


def get_patch_or_404(project: Project, patch_id: int) -> Patch:
    """The project's delivery with this id. Raises Http404."""
    patch = Patch.objects.filter(project=project, pk=patch_id).first()
    if patch is None:
        raise Http404("There is no such delivery in this project.")
    patch.project = project
    return patch


def get_bulk_or_404(project: Project, bulk_id: int) -> Bulk:
    """The project's bulk with this id. Raises Http404."""
    bulk = Bulk.objects.filter(project=project, pk=bulk_id).first()
    if bulk is None:
        raise Http404("There is no such push in this project.")
    bulk.project = project
    return bulk


def read_patch_ids(project: Project, texts: Sequence[str]) -> tuple[list[int], str]:
    """The primary keys among these form values that are the project's, and a sentence that names the others."""
    known, unknown = split_known(Patch.objects.filter(project=project), texts)
    return known, describe_unknown(unknown, "this project's deliveries")
