"""Errors of backing up and restoring."""


class BackupError(Exception):
    """Its text says what happened, that the database is as it was, and what to do."""
