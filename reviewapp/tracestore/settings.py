"""Django for the trace store: no apps, no ORM, no templates. The environment names the file and the delay."""

import os
import secrets
from pathlib import Path

DEBUG = False
# Nothing is signed here, but Django wants one.
SECRET_KEY = secrets.token_hex()
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS: list[str] = []
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "reviewapp.tracestore.urls"
APPEND_SLASH = False
USE_TZ = True
LOGGING_CONFIG = None

DATABASE_FILE = Path(os.environ.get("TRACESTORE_DATABASE", "tracestore.sqlite3"))
APPLY_DELAY_MS = int(os.environ.get("TRACESTORE_APPLY_DELAY_MS", "500"))
