"""The first run: a one-time link, the first admin, the first project, the first queue."""
