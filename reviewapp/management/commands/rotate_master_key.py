"""`manage.py rotate_master_key`: encrypt all Laminar keys with the first of MASTER_KEYS."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.template.defaultfilters import pluralize

from reviewapp.keys import encryption, rotation
from reviewapp.management.desk_command import DeskCommand


class Command(DeskCommand):
    help = (
        "Encrypt all stored Laminar keys with the first of MASTER_KEYS. Safe while all nodes run, and to run again."
        " Before: give every node the new key, behind the old one, and restart it; then put the new one first."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only count the stored keys of each master key")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["check"]:
            self._rotate()
        self._report()

    def _rotate(self) -> None:
        done, failed = 0, []
        for key, has_worked in rotation.rotate_master_key():
            done += has_worked
            if not has_worked:
                failed.append(f"{key.project.slug} …{key.last_four} (master key “{key.master_id}”)")
        self.stdout.write(f"{done:,} Laminar key{pluralize(done)} encrypted with the newest master key.")
        if failed:
            names = ", ".join(failed[:20]) + (f" and {len(failed) - 20:,} more" if len(failed) > 20 else "")
            raise CommandError(
                f"{len(failed):,} could not be decrypted and stayed as they were: {names}. Run this again with their"
                " master key in MASTER_KEYS, or enter these Laminar keys again."
            )

    def _report(self) -> None:
        counts, masters = rotation.count_by_master(), encryption.load_master_keys()
        for number, master in enumerate(masters):
            count = counts.pop(master.id, 0)
            use = "new keys are encrypted with it" if number == 0 else "" if count else "it can be removed"
            self.stdout.write(f"{master.id}: {count:,} stored key{pluralize(count)}{use and f'; {use}'}")
        for master_id, count in sorted(counts.items()):
            self.stdout.write(f"{master_id or 'malformed'}: {count:,} stored key{pluralize(count)}; this node lacks it")
