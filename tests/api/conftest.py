"""A machine with a token of the project."""

from functools import partial
from typing import Any

import pytest

from reviewapp.accounts.models import Project
from reviewapp.keys.models import Scope
from reviewapp.keys.tokens import create_token
from tests.api.http_calls import post


@pytest.fixture
def token(project: Project) -> str:
    """A token with every scope."""
    return create_token(project, "ci", "command", scopes=Scope.values)


@pytest.fixture
def send(token: str) -> Any:
    """Post a body with the token."""
    return partial(post, token=token)
