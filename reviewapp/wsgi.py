"""The review app as a WSGI application: `gunicorn reviewapp.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

from reviewapp.lib import deadline
from reviewapp.lib.database_use import register_use
from reviewapp.lib.http_server import admission
from reviewapp.web.startup import require_safe_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reviewapp.settings")
deadline.limit_statements()
application = get_wsgi_application()

from reviewapp.queues.uploads.admission import is_known_sender  # noqa: E402 - models exist only after setup

admission.register(is_known_sender)
require_safe_settings()
register_use()
