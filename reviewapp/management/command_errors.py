"""How a command says no."""

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError


def to_command_error(error: ValidationError) -> CommandError:
    """What was wrong, each field by its name, and that nothing came of it."""
    if hasattr(error, "error_dict"):
        said = [
            f"{field.replace('_', ' ').capitalize()}: {message}"
            for field, messages in error.message_dict.items()
            for message in messages
        ]
    else:
        said = error.messages
    return CommandError(" ".join([*said, "Nothing was changed."]))
