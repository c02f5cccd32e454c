"""Errors of commands."""

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError


def to_command_error(error: ValidationError) -> CommandError:
    """Return a CommandError with all messages, each with its field's name, that says that nothing was changed."""
    if hasattr(error, "error_dict"):
        messages = [
            f"{field.replace('_', ' ').capitalize()}: {message}"
            for field, field_messages in error.message_dict.items()
            for message in field_messages
        ]
    else:
        messages = error.messages
    return CommandError(" ".join([*messages, "Nothing was changed."]))
