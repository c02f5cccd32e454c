"""Static files: with hashed names and compressed once collected, unchanged before that."""

from django.contrib.staticfiles.storage import StaticFilesStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Works without `collectstatic`, as in tests and on a developer's machine."""

    def url(self, name: str, force: bool = False) -> str:
        url: str = super().url(name, force) if self.hashed_files else StaticFilesStorage.url(self, name)
        return url
