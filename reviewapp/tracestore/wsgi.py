"""The trace store as a WSGI application, for `reviewapp.tracestore` or any other server."""

import logging
import os
from importlib import import_module

from django.core.wsgi import get_wsgi_application

from reviewapp.tracestore import settings

os.environ["DJANGO_SETTINGS_MODULE"] = settings.__name__

# A 404 or a 400 is an ordinary answer here, not something to report.
logging.getLogger("django.request").setLevel(logging.ERROR)

application = get_wsgi_application()

# Django would read the routes, and all that lies behind them, only at the first request.
import_module(settings.ROOT_URLCONF)
