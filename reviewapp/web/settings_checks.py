"""Are the settings fit for what they run? Django runs these checks before commands, `wsgi.py` before the web app.

In production mode what is unsafe is an error, which refuses to start; in development mode it is a warning.
"""

from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.http import HttpRequest

from reviewapp.lib import private_files
from reviewapp.lib.database_use import get_sqlite_path
from reviewapp.lib.secret_strength import find_weakness

TAG = "review_desk"
GENERATE = "Generate one: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
MIN_SECRET_KEY, MIN_MASTER_KEY, MIN_TOKEN = 50, 32, 24
MAX_NAMED_PATHS = 5
LOCAL_HOSTS = frozenset(("127.0.0.1", "localhost", "[::1]", "testserver"))


def check_mode(**_: Any) -> list[CheckMessage]:
    """What only production mode requires; DEBUG also where others than this machine are let in."""
    hosts = set(settings.ALLOWED_HOSTS)
    messages: list[CheckMessage] = []
    if settings.DEBUG and (settings.IS_PRODUCTION or not hosts <= LOCAL_HOSTS):
        messages.append(_judge("DEBUG is on: error pages show data and settings.", "Remove DEBUG.", "001"))
    if settings.IS_PRODUCTION and (not hosts or "*" in hosts):
        hint = "Set ALLOWED_HOSTS to the names by which people open the review desk, for example reviews.example.com."
        messages.append(_judge("ALLOWED_HOSTS does not name the hosts.", hint, "002"))
    return messages


def check_cookies(**_: Any) -> list[CheckMessage]:
    """Cookies must not travel without TLS where there is TLS."""
    if settings.SECURE_COOKIES:
        return []
    if settings.IS_PRODUCTION:
        hint = "Remove SECURE_COOKIES: production mode needs TLS in front, and sends cookies over https only."
        return [_judge("SECURE_COOKIES is off in production mode.", hint, "003")]
    if any(origin.startswith("https://") for origin in settings.CSRF_TRUSTED_ORIGINS):
        hint = "Set MODE=production, or SECURE_COOKIES=true."
        text = "CSRF_TRUSTED_ORIGINS names https, but cookies are also sent over http."
        return [_judge(text, hint, "003")]
    return []


def check_secrets(**_: Any) -> list[CheckMessage]:
    """Secrets must be long, random, and each its own."""
    problems = [
        f"{name} {weakness}." for name, secret, size in _list_secrets() if (weakness := find_weakness(secret, size))
    ]
    secrets = [(name, secret) for name, secret, _ in _list_secrets()]
    if password := settings.DATABASES["default"].get("PASSWORD"):
        secrets.append(("the password in DATABASE_URL", password))
    problems += [
        f"{name} is the same as {other}."
        for index, (name, secret) in enumerate(secrets)
        for other, other_secret in secrets[:index]
        if secret == other_secret
    ]
    return [_judge(problem, GENERATE, "004") for problem in problems]


def check_master_key_place(**_: Any) -> list[CheckMessage]:
    """Whoever copies the folder of the database must not get the master key with it."""
    database = get_sqlite_path()
    folders = {settings.DATA_DIR, database.parent if database else settings.DATA_DIR}
    if not settings.IS_PRODUCTION or settings.SECRETS_DIR not in folders:
        return []
    hint = "Set SECRETS_DIR to another folder and move secret_key and key_encryption_key there."
    return [_judge(f"The master key is beside the database, in {settings.SECRETS_DIR}.", hint, "005")]


def check_files(**_: Any) -> list[CheckMessage]:
    """Other users of the machine must not read the database, keys and backups."""
    paths = find_open_paths()
    if not paths:
        return []
    named = ", ".join(str(path) for path in paths[:MAX_NAMED_PATHS])
    more = f" and {len(paths) - MAX_NAMED_PATHS} more" if len(paths) > MAX_NAMED_PATHS else ""
    return [
        _judge(f"Other users of this machine can open {named}{more}.", "Run manage.py check_permissions --fix.", "006")
    ]


CHECKS: dict[str, Callable[..., list[CheckMessage]]] = {
    "Mode": check_mode,
    "Cookies": check_cookies,
    "Secrets": check_secrets,
    "Place of the master key": check_master_key_place,
    "Files": check_files,
}


def check_request(request: HttpRequest) -> list[CheckMessage]:
    """What the way of a request says about proxies in front; shown on the status page."""
    messages: list[CheckMessage] = []
    is_https = request.is_secure() or request.headers.get("X-Forwarded-Proto") == "https"
    if is_https and not settings.SECURE_COOKIES:
        hint = "Set MODE=production, or SECURE_COOKIES=true."
        messages.append(_judge("This page came over https, but cookies are also sent over http.", hint, "007"))
    hops = len(request.headers.get("X-Forwarded-For", "").split(",")) if "X-Forwarded-For" in request.headers else 0
    if hops and not 0 < settings.TRUSTED_PROXIES <= hops:
        text = f"TRUSTED_PROXIES is {settings.TRUSTED_PROXIES}, but X-Forwarded-For has {hops}."
        hint = "Set TRUSTED_PROXIES to the number of proxies: until then, all clients behind them share limits."
        messages.append(CheckWarning(text, hint, id="review_desk.W008"))
    return messages


def find_open_paths() -> list[Any]:
    """The files and folders of DATA_DIR and SECRETS_DIR that others can open; static files are meant for all."""
    folders = {settings.DATA_DIR, settings.SECRETS_DIR}
    return [
        path
        for folder in sorted(folders)
        if folder.is_dir()
        for path in private_files.find_open_paths(folder, excluded=settings.STATIC_ROOT)
    ]


def _list_secrets() -> Iterator[tuple[str, str, int]]:
    """Name, value and least length of each secret that is set."""
    yield "SECRET_KEY", settings.SECRET_KEY, MIN_SECRET_KEY
    for number, key in enumerate(settings.KEY_ENCRYPTION_KEYS, 1):
        yield f"Key {number} of KEY_ENCRYPTION_KEYS", key, MIN_MASTER_KEY
    if settings.METRICS_TOKEN:
        yield "METRICS_TOKEN", settings.METRICS_TOKEN, MIN_TOKEN


def _judge(text: str, hint: str, number: str) -> CheckMessage:
    if settings.IS_PRODUCTION:
        return Error(text, hint, id=f"review_desk.E{number}")
    return CheckWarning(text, hint, id=f"review_desk.W{number}")
