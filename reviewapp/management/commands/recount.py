"""`manage.py recount`: count all reviews again and repair the counters, as the worker does daily."""

from argparse import ArgumentParser
from typing import Any

from django.template.defaultfilters import pluralize

from reviewapp.management.desk_command import DeskCommand
from reviewapp.management.project_lookup import get_project
from reviewapp.queues.models import Queue
from reviewapp.reviews.counting import recount


class Command(DeskCommand):
    help = "Count the reviews of all queues again, and repair the counters that pages show."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", help="only the queues of this project")

    def handle(self, *args: Any, **options: Any) -> None:
        queues = Queue.objects.order_by("pk")
        if options["project"]:
            queues = queues.filter(project=get_project(options["project"]))
        count = wrong = 0
        for queue in queues.iterator():
            count, wrong = count + 1, wrong + (recount(queue) > 0)
        self.stdout.write(f"Recounted {count:,} queue{pluralize(count)}; repaired the counters of {wrong:,}.")
