"""Connections that never wait longer than their limits, also for a server that is frozen or behind a dead network.

A frozen server keeps acknowledging packets, so neither its own timeouts nor TCP's would ever end a wait for it.
"""

import math
from types import SimpleNamespace
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg.errors import _WaitTimeout

from reviewapp.lib import deadline

# Seconds that a server may need to report that a statement reached its limit.
MARGIN_SECONDS = 2.0
NO_ANSWER = "The database did not answer in time"


class Connection(psycopg.Connection[Any]):
    """Closes itself and raises OperationalError when a wait reaches its limit; the server rolls back."""

    # Seconds for one statement; set by DatabaseWrapper.
    wait_seconds = math.inf

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        limit = deadline.remaining(self.wait_seconds)
        if limit <= 0:
            gen.close()
            raise psycopg.OperationalError(NO_ANSWER)
        if timeout is not None or limit == math.inf:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, limit)
        except _WaitTimeout:
            self.close()
            raise psycopg.OperationalError(NO_ANSWER) from None


class DatabaseWrapper(base.DatabaseWrapper):
    """Takes STATEMENT_SECONDS and LOCK_SECONDS from the database's settings, once `deadline.limit_statements` ran."""

    Database = SimpleNamespace(**{**vars(psycopg), "connect": Connection.connect})  # type: ignore[assignment]

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        if deadline.has_statement_limits():
            limits = {
                "statement_timeout": self.settings_dict["STATEMENT_SECONDS"],
                "lock_timeout": self.settings_dict["LOCK_SECONDS"],
                "idle_in_transaction_session_timeout": 2 * self.settings_dict["STATEMENT_SECONDS"],
            }
            options = [f"-c {name}={seconds * 1000}" for name, seconds in limits.items()]
            params["options"] = " ".join([params.get("options", ""), *options]).strip()
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        limit = deadline.remaining(conn_params["connect_timeout"])
        if limit <= 0:
            raise psycopg.OperationalError(NO_ANSWER)
        # Whole seconds, and libpq's minimum of two.
        connection: Connection = super().get_new_connection({**conn_params, "connect_timeout": math.ceil(limit)})
        if deadline.has_statement_limits() and self.settings_dict["STATEMENT_SECONDS"]:
            connection.wait_seconds = self.settings_dict["STATEMENT_SECONDS"] + MARGIN_SECONDS
        return connection

    def is_usable(self) -> bool:
        # A connection that hangs must leave the request time to open another.
        with deadline.limit(self.settings_dict["OPTIONS"]["connect_timeout"]):
            return bool(super().is_usable())
