"""The request type of our views: signed in, with htmx's headers parsed."""

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

if TYPE_CHECKING:
    from reviewapp.accounts.models import Membership, User


class Request(HttpRequest):
    """For typing only; never instantiated."""

    user: "User"
    membership: "Membership"
    htmx: HtmxDetails
    access_token: Any
