"""Build the wheel as `make dist` does, and install it in an environment of its own, outside the checkout."""

import os
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.environment import ROOT

# An installation sees neither the checkout nor the settings of the tests.
EXCLUDED = {
    "ALLOWED_LAMINAR_HOSTS", "DATABASE_URL", "DATA_DIR", "DJANGO_SETTINGS_MODULE", "DRAIN_SECONDS",
    "KEY_ENCRYPTION_KEYS", "PYTHONPATH", "SECRET_KEY",
}  # fmt: skip


def build_wheel() -> Path:
    """Return the wheel. Raises CalledProcessError."""
    # The tools that run this test are there already: make shall not install them again.
    command = ["make", "dist", f"BIN={Path(sys.executable).parent}", "--assume-old=.venv/.installed"]
    process = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603 - our own
    return ROOT / process.stdout.splitlines()[-1]


def install_wheel(wheel: Path, folder: Path) -> Path:
    """Install the wheel into a new environment in `folder`. Returns its command `review-desk`."""
    venv.create(folder, with_pip=True, symlinks=True)
    subprocess.run(  # noqa: S603 - our own command
        [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
         "--constraint", ROOT / "constraints.txt", wheel],
        cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return folder / "bin" / "review-desk"


def make_environment(home: Path, **variables: str) -> dict[str, str]:
    """Return the variables of a user whose home folder is `home`."""
    inherited = {name: value for name, value in os.environ.items() if name not in EXCLUDED}
    inherited.pop("XDG_DATA_HOME", None)
    return {**inherited, "HOME": str(home), **variables}
