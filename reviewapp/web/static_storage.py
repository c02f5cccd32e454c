"""Static files: with hashed names, without comments and compressed once collected, unchanged before that."""

from typing import IO, Any

from django.contrib.staticfiles.storage import StaticFilesStorage
from django.core.files.base import ContentFile
from rjsmin import jsmin
from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Works without `collectstatic`, as in tests and on a developer's machine."""

    def url(self, name: str, force: bool = False) -> str:
        url: str = super().url(name, force) if self.hashed_files else StaticFilesStorage.url(self, name)
        return url

    def save(self, name: str, content: IO[Any], max_length: int | None = None) -> str:
        """Collect a file. Our scripts lose their comments: with the types for the checker they are 30% of the bytes."""
        if name.startswith("js/"):
            content = ContentFile(jsmin(content.read()))
        saved_name: str = super().save(name, content, max_length)
        return saved_name
