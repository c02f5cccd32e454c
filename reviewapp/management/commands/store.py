"""`manage.py store`: another name of `tracestore`."""

from reviewapp.management.commands.tracestore import Command as Command
