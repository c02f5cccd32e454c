"""The trace store as a WSGI application, for `reviewapp.tracestore` or any other server."""

import logging
import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "reviewapp.tracestore.settings"

# A 404 or a 400 is an ordinary answer here, not something to report.
logging.getLogger("django.request").setLevel(logging.ERROR)

application = get_wsgi_application()
