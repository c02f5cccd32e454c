"""A machine with a token of the project."""

from functools import partial
from typing import Any

import pytest

from reviewapp.accounts.models import Project
from reviewapp.keys.tokens import make_token
from tests.api.http_calls import post


@pytest.fixture
def token(project: Project) -> str:
    return make_token(project, "ci", "command")


@pytest.fixture
def send(token: str) -> Any:
    """Post a body with the token."""
    return partial(post, token=token)
