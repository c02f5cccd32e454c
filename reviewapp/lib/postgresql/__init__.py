"""Django's PostgreSQL backend with a bound on every wait, named in settings as `ENGINE`."""
