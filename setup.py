"""Add the top-level folders of templates and static files to the package. The rest is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# Written by `make dist`: hashed names, without comments, compressed.
COLLECTED = ROOT / "build" / "dist" / "static"


class BuildWithFolders(build_py):
    """Put `templates/`, and the static files as they were collected last, into the wheel."""

    def run(self) -> None:
        """Copy the folders; an editable install reads them where they are."""
        super().run()
        if self.editable_mode:
            return
        package = Path(self.build_lib) / "reviewapp"
        _replace_folder(ROOT / "templates", package / "templates")
        if COLLECTED.is_dir():
            _replace_folder(COLLECTED, package / "collected")
        else:
            _replace_folder(ROOT / "static", package / "static")


def _replace_folder(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


setup(cmdclass={"build_py": BuildWithFolders})
