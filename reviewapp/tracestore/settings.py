"""Django settings of the trace store: no apps, ORM or templates. Database file and delay come from the environment."""

import os
import secrets
from pathlib import Path

DEBUG = False
# Django requires a key, although nothing is signed here.
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
# How many requests are answered at a time.
THREADS = 8
# What runs queries: "sqlite" or "clickhouse", which needs the extra of that name.
SQL_ENGINE = os.environ.get("STORE_SQL", "sqlite")
