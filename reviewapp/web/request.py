"""The request as every view of ours gets it: signed in, with htmx's headers read."""

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

if TYPE_CHECKING:
    from reviewapp.accounts.models import Membership, User


class Request(HttpRequest):
    """Typing only; nothing ever makes one."""

    user: "User"
    membership: "Membership"
    htmx: HtmxDetails
    access_token: Any
