"""`manage.py worker`: another name of `deliver`."""

from reviewapp.management.commands.deliver import Command as Command
