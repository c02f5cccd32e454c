"""Send an invite by e-mail, where EMAIL_URL is set."""

import logging

from django.conf import settings
from django.core.mail import send_mail

from reviewapp.accounts.models import Project

logger = logging.getLogger("reviewapp.people")


def is_on() -> bool:
    return bool(settings.EMAIL_IS_ON)


def send_invite(project: Project, url: str, address: str) -> str:
    """Send the link. Returns a sentence that says whether it was sent."""
    if not is_on():
        return "No e-mail was sent: the review desk has no mail server. Send the link yourself."
    # A name is of one line, so that it adds no header.
    text = f"You are invited to review LLM traces in the project {project.name}.\n\nOpen this link to join:\n{url}\n"
    try:
        send_mail(f"Invitation to {project.name}", text, None, [address])
    except (OSError, ValueError) as error:
        # Errors of the mail server are OSErrors. They may name the address, which is no secret here.
        logger.warning("An invite could not be sent by e-mail: %s", type(error).__name__)
        return "The e-mail could not be sent. Send the link yourself."
    return f"It was sent to {address}."
