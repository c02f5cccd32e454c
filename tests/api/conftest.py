"""A machine with a token of the project."""

from functools import partial
from typing import Any

import pytest

from reviewapp.accounts.models import Project
from reviewapp.keys.tokens import create_token
from tests.api.http_calls import post


@pytest.fixture
def token(project: Project) -> str:
    return create_token(project, "ci", "command")


@pytest.fixture
def send(token: str) -> Any:
    """Post a body with the token."""
    return partial(post, token=token)
