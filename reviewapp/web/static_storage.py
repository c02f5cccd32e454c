"""Static files: with hashed names, without comments and compressed once collected, unchanged before that."""

import re
from collections.abc import Iterator
from typing import IO, Any

from django.contrib.staticfiles.storage import StaticFilesStorage
from django.core.files.base import ContentFile
from rjsmin import jsmin
from whitenoise.storage import CompressedManifestStaticFilesStorage

STYLES = "css/desk.css"
_IMPORT = re.compile(r'@import "\./([a-z-]+\.css)";\n')
_MODULE_IMPORTS = (
    (r'(?P<matched>from\s*"(?P<url>\./[^"]+)")', 'from"%(url)s"'),
    (r'(?P<matched>import\("(?P<url>\./[^"]+)"\))', 'import("%(url)s")'),
)
_COMMENT = re.compile(r"/\*.*?\*/\s*", re.DOTALL)

Sources = dict[str, tuple[Any, str]]  # by the name of a static file: the storage and path it is collected from


class StaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Works without `collectstatic`, as in tests and on a developer's machine."""

    # Our modules import each other by hashed names too, so that browsers keep them. Every import in a row takes a pass.
    patterns = (*CompressedManifestStaticFilesStorage.patterns, ("js/*.js", _MODULE_IMPORTS))
    max_post_process_passes = 20

    def url(self, name: str, force: bool = False) -> str:
        url: str = super().url(name, force) if self.hashed_files else StaticFilesStorage.url(self, name)
        return url

    def save(self, name: str, content: IO[Any], max_length: int | None = None) -> str:
        """Collect a file. Our scripts lose their comments: with the types for the checker they are 30% of the bytes."""
        if name.startswith("js/"):
            content = ContentFile(jsmin(content.read()))
        saved_name: str = super().save(name, content, max_length)
        return saved_name

    def post_process(self, paths: Sources, dry_run: bool = False, **options: Any) -> Iterator[Any]:
        """Join the style sheets, and hash the files as they were collected rather than as they were written."""
        if STYLES in paths and not dry_run:
            # Here, because a style sheet that did not change is not collected again when one that it imports did.
            self.delete(STYLES)
            self._save(STYLES, ContentFile(_join_styles(paths)))
        yield from super().post_process({name: (self, name) for name in paths}, dry_run, **options)


def _join_styles(sources: Sources) -> bytes:
    """Return the style sheet with what it imports: half the bytes of many compressed files, and one request."""

    def read(name: str) -> str:
        storage, path = sources[name]
        with storage.open(path) as file:
            text: str = file.read().decode()
        return text

    return _COMMENT.sub("", _IMPORT.sub(lambda line: read(f"css/{line[1]}"), read(STYLES))).encode()
