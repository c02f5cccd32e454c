"""The review app as a WSGI application: `gunicorn reviewapp.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

from reviewapp.lib.database_use import register_use

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reviewapp.settings")
application = get_wsgi_application()
register_use()
