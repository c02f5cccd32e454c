"""A request's id in its log lines and its response, and log lines for what is slow."""

import logging
import re
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from structlog.contextvars import bound_contextvars

from reviewapp.lib.shortening import shorten

log = logging.getLogger(__name__)

# An id that a proxy has given is taken over, if it cannot disturb a log.
USABLE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)
MAX_SQL_LENGTH = 300


def log_request(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Give each request an id, and log it if it takes longer than SLOW_REQUEST_SECONDS."""

    def middleware(request: HttpRequest) -> HttpResponse:
        proposed_id = request.headers.get("X-Request-Id", "")
        request_id = proposed_id if USABLE_ID.fullmatch(proposed_id) else uuid4().hex
        with bound_contextvars(request_id=request_id):
            response = _answer(get_response, request)
        response["X-Request-Id"] = request_id
        return response

    return middleware


def _answer(get_response: Callable[[HttpRequest], HttpResponse], request: HttpRequest) -> HttpResponse:
    started_at = time.monotonic()
    if settings.SLOW_QUERY_SECONDS:
        with connection.execute_wrapper(_log_slow_query):
            response = get_response(request)
    else:
        response = get_response(request)
    seconds = time.monotonic() - started_at
    if settings.SLOW_REQUEST_SECONDS and seconds >= settings.SLOW_REQUEST_SECONDS:
        # Without the query, which may have personal data.
        path = shorten(request.path, 200)
        log.warning("Slow request: %s %s took %.2f s (%s)", request.method, path, seconds, response.status_code)
    return response


def _log_slow_query(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    started_at = time.monotonic()
    try:
        return execute(sql, params, many, context)
    finally:
        seconds = time.monotonic() - started_at
        if seconds >= settings.SLOW_QUERY_SECONDS:
            # Without the parameters, which may have personal data.
            log.warning("Slow query: %.2f s for %s", seconds, shorten(" ".join(str(sql).split()), MAX_SQL_LENGTH))
