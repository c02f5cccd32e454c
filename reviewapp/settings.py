"""All settings, read from environment variables. The defaults suit a single machine."""

import os
from pathlib import Path

import environ
import platformdirs
from csp.constants import NONE, SELF

from reviewapp.lib import master_keys, private_files, secret_file, sqlite_connection
from reviewapp.lib.http_server import limits

PACKAGE_DIR = Path(__file__).resolve().parent
BASE_DIR = PACKAGE_DIR.parent
# A wheel carries the templates and the static files in the package; a checkout has them beside it.
IS_WHEEL = (PACKAGE_DIR / "templates").is_dir()
env = environ.Env()

MODE = env.str("MODE", default="development")
if MODE not in ("development", "production"):
    raise SystemExit("MODE is neither development nor production. Set it to one of them.")
IS_PRODUCTION = MODE == "production"


def read_secret(name: str) -> str:
    """Return the variable `name`, or the text of the file that `name_FILE` names. Raises SystemExit."""
    try:
        return secret_file.read_setting(name, os.environ)
    except secret_file.UnreadableSecretError as error:
        raise SystemExit(str(error)) from None


# Everything that is written: databases, secrets generated on first start, collected static files.
DEFAULT_DATA_DIR = platformdirs.user_data_path("review-desk") if IS_WHEEL else BASE_DIR / "var"
DATA_DIR = Path(env.str("DATA_DIR", default="") or DEFAULT_DATA_DIR).resolve()
# Where generated secrets are: in production mode not beside the database that they protect.
_secrets_folder = f"{DATA_DIR}-secrets" if IS_PRODUCTION else str(DATA_DIR)
SECRETS_DIR = Path(env.str("SECRETS_DIR", default="") or _secrets_folder).resolve()
private_files.restrict_umask()
try:
    private_files.create_folder(DATA_DIR)
except OSError as error:
    raise SystemExit(
        f"Could not create DATA_DIR {DATA_DIR}: {error.strerror}. Set DATA_DIR to another folder."
    ) from None


def _read_secret_file(variable: str, name: str) -> str:
    """Return the secret in SECRETS_DIR that the variable does not set. Raises SystemExit."""
    path, earlier = SECRETS_DIR / name, DATA_DIR / name
    if earlier != path and earlier.exists() and not path.exists():
        raise SystemExit(
            f"{variable} is not set, and {earlier} is beside the database. Nothing was changed. Move the file to"
            f" {SECRETS_DIR}, or set {variable} to what is in it."
        )
    try:
        return secret_file.read_or_create(path)
    except OSError as error:
        raise SystemExit(
            f"Could not use {path}: {error.strerror}. Set {variable}, or SECRETS_DIR to another folder."
        ) from None


def _split(text: str) -> list[str]:
    """Return the parts of a comma-separated text."""
    return [part.strip() for part in text.split(",") if part.strip()]


DEBUG = env.bool("DEBUG", default=False)
# Several web nodes must share one SECRET_KEY; a single machine generates its own.
SECRET_KEY = read_secret("SECRET_KEY") or _read_secret_file("SECRET_KEY", "secret_key")
if len(SECRET_KEY) < 50:
    raise environ.ImproperlyConfigured("SECRET_KEY is shorter than 50 characters. Set a longer random one.")
# Encrypt Laminar keys, as `id:base64`. The first one encrypts, all of them decrypt: see manage.py rotate_master_key.
try:
    MASTER_KEYS = master_keys.parse_master_keys(_split(read_secret("MASTER_KEYS")))
except master_keys.InvalidMasterKeyError as error:
    raise environ.ImproperlyConfigured(str(error)) from None
# Texts that did the same before MASTER_KEYS. They encrypt only if there are no MASTER_KEYS.
KEY_ENCRYPTION_KEYS = _split(read_secret("KEY_ENCRYPTION_KEYS"))
if not KEY_ENCRYPTION_KEYS and (not MASTER_KEYS or (SECRETS_DIR / "key_encryption_key").exists()):
    KEY_ENCRYPTION_KEYS = [_read_secret_file("MASTER_KEYS", "key_encryption_key")]

# Secrets that must not lie beside the database, generated if the environment has none.
_apart_dir = DATA_DIR.parent / f"{DATA_DIR.name}-keys" if SECRETS_DIR == DATA_DIR else SECRETS_DIR
KEY_DIR = Path(env.str("KEY_DIR", default=str(_apart_dir))).resolve()
# Seals the audit log: the same on every node, and nowhere in the database or its backups.
AUDIT_KEY = read_secret("AUDIT_KEY") or secret_file.read_or_create_apart(KEY_DIR, DATA_DIR, "audit_key")
if len(AUDIT_KEY) < 32 or len(set(AUDIT_KEY)) < 8:
    raise environ.ImproperlyConfigured("AUDIT_KEY is shorter than 32 characters or too simple. Set a random one.")
IS_AUDIT_KEY_APART = bool(read_secret("AUDIT_KEY")) or not (DATA_DIR / "audit_key").exists()
# Where the worker appends the heads of the audit logs, and every how many seconds.
AUDIT_HEADS_FILE = Path(
    env.str("AUDIT_HEADS_FILE", default=str((KEY_DIR if KEY_DIR.is_dir() else DATA_DIR) / "audit_heads.jsonl"))
)
AUDIT_EXPORT_SECONDS = env.int("AUDIT_EXPORT_SECONDS", default=3_600)

# How many proxies stand in front; the client's address is taken from the X-Forwarded-For that they write.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=1 if IS_PRODUCTION else 0)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[] if IS_PRODUCTION else ["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# `host:port` of Laminar servers that may have a loopback or private address, use http or another port than Laminar's.
ALLOWED_LAMINAR_HOSTS = frozenset(env.list("ALLOWED_LAMINAR_HOSTS", default=[]))
# The same for the endpoints of webhooks.
ALLOWED_WEBHOOK_HOSTS = frozenset(env.list("ALLOWED_WEBHOOK_HOSTS", default=[]))
# A trace store beside this app that the first run offers; `demo --empty` sets both.
EMBEDDED_STORE_URL = env.str("EMBEDDED_STORE_URL", default="")
EMBEDDED_STORE_KEY = read_secret("EMBEDDED_STORE_KEY")
# Encrypts backups and decrypts them; only the commands `backup` and `restore` use it.
BACKUP_PASSPHRASE = read_secret("BACKUP_PASSPHRASE")
# Whether the home page of a project links to what can be tried; `demo` sets it.
IS_DEMO = env.bool("IS_DEMO", default=False)

# How many days a trace that was never queued stays in the mirror, and how many of these a project may have.
# Answers a view's conditions on reviews; the mirror, which is below reviews, asks it by this name.
REVIEW_LOOKUP = "reviewapp.reviews.trace_filter.find_reviewed"
MIRROR_DAYS = env.int("MIRROR_DAYS", default=90)
MIRROR_TRACES = env.int("MIRROR_TRACES", default=1_000_000)
# How many days the attempts of a delivery are listed; 0 for ever. Longer than a delivery is tried, which is 8 days.
ATTEMPT_DAYS = env.int("ATTEMPT_DAYS", default=90)
if 0 < ATTEMPT_DAYS < 30:
    raise environ.ImproperlyConfigured("ATTEMPT_DAYS is less than 30. Set it to 30 or more, or to 0 to keep all.")

# How many API calls an access token may make in a minute; 0 for no limit.
# Who may read `/metrics`; empty: nobody.
METRICS_TOKEN = read_secret("METRICS_TOKEN")
API_CALLS_PER_MINUTE = env.int("API_CALLS_PER_MINUTE", default=1_200)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    # Before staticfiles, which has a runserver command too.
    "reviewapp",
    "django.contrib.staticfiles",
    "django_htmx",
    "template_partials",
]

MIDDLEWARE = [
    "reviewapp.web.request_log.log_request",
    "reviewapp.web.middleware.limit_duration",
    "django.middleware.security.SecurityMiddleware",
    # Before whatever answers by itself, so that static files and refusals have the same headers as pages.
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "reviewapp.web.middleware.refuse_other_methods",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "reviewapp.web.middleware.vary_on_htmx",
    "reviewapp.web.middleware.use_readers_time_zone",
    # Before the first middleware that asks for the host name, the session or the user.
    "reviewapp.web.middleware.answer_probes",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "reviewapp.accounts.sessions.renew_session",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "reviewapp.web.middleware.messages_out_of_band",
    "reviewapp.web.middleware.redirect_for_htmx",
    "reviewapp.audit.refusals.count_refusals",
    "reviewapp.web.middleware.explain_method_not_allowed",
    "reviewapp.web.middleware.refuse_other_charsets",
    "reviewapp.web.form_encoding.refuse_unreadable_forms",
]

# Returns why `/ready?worker=1` is not ready; named here because it belongs to a package above `web`.
WORKER_CHECK = "reviewapp.delivery.heartbeat.find_worker_obstacle"
ROOT_URLCONF = "reviewapp.urls"
WSGI_APPLICATION = "reviewapp.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [(PACKAGE_DIR if IS_WHEEL else BASE_DIR) / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": [
                "template_partials.templatetags.partials",
                "reviewapp.web.templatetags.web",
                "reviewapp.traces.templatetags.traces",
                "reviewapp.reviews.templatetags.reviews",
            ],
        },
    }
]

# Seconds. A request ends with a 503 after REQUEST_SECONDS, whatever it waits for in the database. The other limits hold
# for the web app and the worker, not for commands: to connect, to wait for a lock, and for one statement (PostgreSQL).
REQUEST_SECONDS = env.int("REQUEST_SECONDS", default=25)
DATABASE_CONNECT_SECONDS = env.int("DATABASE_CONNECT_SECONDS", default=3)
DATABASE_LOCK_SECONDS = env.int("DATABASE_LOCK_SECONDS", default=20)
DATABASE_STATEMENT_SECONDS = env.int("DATABASE_STATEMENT_SECONDS", default=20)

DATABASE_URL = read_secret("DATABASE_URL") or f"sqlite:///{DATA_DIR / 'reviewapp.sqlite3'}"
DATABASES = {"default": env.db_url_config(DATABASE_URL)}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE: a transaction that will write waits for the lock at its start instead of failing halfway.
    # FULL: an acknowledged review survives a power loss.
    DATABASES["default"]["OPTIONS"] = {
        "factory": sqlite_connection.Connection,
        "timeout": DATABASE_LOCK_SECONDS,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000;",
    }
    DATABASES["default"]["CONN_MAX_AGE"] = None
    # A file, not memory, so that the threads and processes of tests can share it.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
else:
    DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=60)
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"]["ENGINE"] = "reviewapp.lib.postgresql"
    DATABASES["default"]["LOCK_SECONDS"] = DATABASE_LOCK_SECONDS
    DATABASES["default"]["STATEMENT_SECONDS"] = DATABASE_STATEMENT_SECONDS
    # jit: the planner overestimates scans of the metadata index; JIT would compile 50 ms for a query of 1 ms.
    # From keepalives_idle on: end a connection to a host that has disappeared.
    DATABASES["default"]["OPTIONS"] = {
        "options": "-c jit=off",
        "connect_timeout": DATABASE_CONNECT_SECONDS,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": DATABASE_STATEMENT_SECONDS * 1000,
        **DATABASES["default"].get("OPTIONS", {}),
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "reviewapp.User"
CSRF_FAILURE_VIEW = "reviewapp.web.views.csrf_failure"
LOGIN_URL = "accounts:sign-in"
LOGIN_REDIRECT_URL = "home:home"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "name", "email")},
    },
]

# Sends invites, for example smtp+tls://user:password@mail.example.com:587; without it links are shown only.
EMAIL_IS_ON = bool(env.str("EMAIL_URL", default=""))
if EMAIL_IS_ON:
    vars().update(env.email_url("EMAIL_URL"))
EMAIL_TIMEOUT = 5
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="review-desk@localhost")

PASSWORD_HASHERS = ["reviewapp.accounts.password_hasher.LowPriorityHasher"]
AUTHENTICATION_BACKENDS = ["reviewapp.accounts.sessions.Backend"]
SESSION_ENGINE = "reviewapp.accounts.sessions"
# A session ends after SESSION_IDLE_HOURS without a request, and after SESSION_DAYS in any case.
SESSION_IDLE_HOURS = env.int("SESSION_IDLE_HOURS", default=12)
SESSION_DAYS = env.int("SESSION_DAYS", default=7)
# How long the history of sign-ins is kept.
SIGN_IN_DAYS = env.int("SIGN_IN_DAYS", default=90)
SESSION_COOKIE_AGE = SESSION_DAYS * 86_400
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_COOKIES = env.bool("SECURE_COOKIES", default=IS_PRODUCTION)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_COOKIES
# A browser takes a cookie of this prefix from its own host over https only: no other host of the domain can set it.
_cookie_prefix = "__Host-" if IS_PRODUCTION and SECURE_COOKIES else ""
SESSION_COOKIE_NAME = f"{_cookie_prefix}sessionid"
CSRF_COOKIE_NAME = f"{_cookie_prefix}csrftoken"
DEVICE_COOKIE_NAME = f"{_cookie_prefix}device"
if IS_PRODUCTION:
    SECURE_SSL_REDIRECT = True
    # Probes and Prometheus reach a node without the proxy.
    SECURE_REDIRECT_EXEMPT = [r"^(health|healthz|ready|readyz|metrics)/?$"]
    SECURE_HSTS_SECONDS = 365 * 86_400
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    # Browsers' preloaded lists have whole domains, which is for the domain's owner to decide.
    SILENCED_SYSTEM_CHECKS = ["security.W021"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if SECURE_COOKIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# Our own files only: no inline script or style, and no request to another host.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False

STATIC_URL = "static/"
STATIC_ROOT = PACKAGE_DIR / "collected" if (PACKAGE_DIR / "collected").is_dir() else DATA_DIR / "static"
# In a wheel, the package is an app whose folder `static`, if it has any, Django finds by itself.
STATICFILES_DIRS = [] if IS_WHEEL else [BASE_DIR / "static"]
# Static files are no secrets: another user may serve them.
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o644, 0o755
STORAGES = {"staticfiles": {"BACKEND": "reviewapp.web.static_storage.StaticStorage"}}
WHITENOISE_USE_FINDERS = not (STATIC_ROOT / "staticfiles.json").exists()

# How large a file of traces may be; it is stored in the database as it arrives.
UPLOAD_MAX_BYTES = limits.UPLOAD_BYTES

# Enough for 1,000 pasted ids or a page of notes; anything larger is refused before it is read.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
# Every box of the largest rubric (20 criteria of 30 options) and of the largest rubric in its editor.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000

# `text`, or `json`: one line of JSON per event.
LOG_FORMAT = env.str("LOG_FORMAT", default="text")
if LOG_FORMAT not in ("text", "json"):
    raise environ.ImproperlyConfigured("LOG_FORMAT is neither text nor json. Set it to one of them.")
# Requests and statements that take as long are logged; 0: none.
SLOW_REQUEST_SECONDS = env.float("SLOW_REQUEST_SECONDS", default=5.0)
SLOW_QUERY_SECONDS = env.float("SLOW_QUERY_SECONDS", default=0.0)

LOG_FORMATTER = "json" if LOG_FORMAT == "json" else "line"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "class": "reviewapp.lib.log_lines.LineFormatter",
            "format": "{asctime} {levelname} {name} {message}",
            "style": "{",
        },
        "json": {"()": "reviewapp.lib.log_lines.JSONFormatter"},
    },
    "handlers": {"stderr": {"class": "reviewapp.lib.log_summary.SummaryHandler", "formatter": LOG_FORMATTER}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "reviewapp": {"level": env.str("LOG_LEVEL", default="INFO"), "handlers": ["stderr"], "propagate": False},
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
    },
}
