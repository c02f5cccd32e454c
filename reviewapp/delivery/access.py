"""Get a project's delivery or bulk push for a view. One that does not exist or belongs to another project is a 404."""

from django.http import Http404

from reviewapp.accounts.models import Project
from reviewapp.delivery.models import Bulk, Patch


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
