"""WSGI application of the trace store, for `reviewapp.tracestore` or any other server."""

import logging
import os
from importlib import import_module

from django.core.wsgi import get_wsgi_application

from reviewapp.lib.log_lines import LineFormatter
from reviewapp.lib.log_summary import SummaryHandler
from reviewapp.tracestore import settings

os.environ["DJANGO_SETTINGS_MODULE"] = settings.__name__

# What repeats, as in an outage, is one line and then one a minute with its count.
_handler = SummaryHandler()
_handler.setFormatter(LineFormatter("{asctime} {levelname} {name} {message}", style="{"))
logging.getLogger().addHandler(_handler)
# 404 and 400 are normal responses here: do not log them.
logging.getLogger("django.request").setLevel(logging.ERROR)

application = get_wsgi_application()

# Load the routes and views now; Django would import them at the first request.
import_module(settings.ROOT_URLCONF)
