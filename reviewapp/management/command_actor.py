"""Who runs a command, for the audit log."""

import os
import pwd

from reviewapp.lib.shortening import shorten


def get_command_actor() -> str:
    """Return `command:` and the name of the operating system's user, or their number if they have no name."""
    # Not from the environment, which anybody can set.
    user_id = os.getuid()
    try:
        name = pwd.getpwuid(user_id).pw_name
    except KeyError:
        name = str(user_id)
    return shorten(f"command:{name}", 120)
