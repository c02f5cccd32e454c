"""Who ran a command."""

import os
import pwd

import pytest

from reviewapp.management.command_actor import get_command_actor


def test_it_names_the_user_of_the_operating_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment cannot change it."""
    for variable in ("USER", "LOGNAME"):
        monkeypatch.setenv(variable, "somebody-else")

    assert get_command_actor() == f"command:{pwd.getpwuid(os.getuid()).pw_name}"
