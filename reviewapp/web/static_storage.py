"""Static files: under hashed names and compressed once they are collected, as they lie before that."""

from django.contrib.staticfiles.storage import StaticFilesStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Needs no `collectstatic` to run, only to run well: tests and a developer's server do without."""

    def url(self, name: str, force: bool = False) -> str:
        found: str = super().url(name, force) if self.hashed_files else StaticFilesStorage.url(self, name)
        return found
