"""Run nginx and Caddy with the configurations of docs/deploy, in front of web nodes on this machine."""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.environment import free_port, wait_for
from tests.tracestore_server import ROOT

CONFIGURATIONS = ROOT / "docs" / "deploy"
NAMES = ("nginx", "caddy")
NGINX = (
    "pid {folder}/nginx.pid;\nerror_log {folder}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{site}}}\n"
)
NGINX_PATHS = "client_body proxy fastcgi uwsgi scgi".split()


def is_installed(name: str) -> bool:
    """Whether this machine has the load balancer `nginx` or `caddy`."""
    return shutil.which(name) is not None


@contextlib.contextmanager
def run_load_balancer(name: str, node_ports: Sequence[int]) -> Iterator[str]:
    """Run `nginx` or `caddy` in front of two nodes on this machine. Yields its URL."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="reviewapp-load-balancer-") as name_of_folder:
        folder = Path(name_of_folder)
        build = _build_nginx_command if name == "nginx" else _build_caddy_command
        environment = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(build(folder, port, node_ports), env=environment, stdout=log, stderr=log)
        try:
            wait_for(f"http://127.0.0.1:{port}/health")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


def _build_nginx_command(folder: Path, port: int, node_ports: Sequence[int]) -> list[str]:
    """Write the shipped site without TLS into a whole configuration. Returns the command."""
    site = _replace_nodes((CONFIGURATIONS / "nginx.conf").read_text(), node_ports)
    site = re.sub(r"^ *ssl_.*\n", "", site, flags=re.MULTILINE).replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    paths = "".join(f"{path}_temp_path {folder}/{path};\n" for path in NGINX_PATHS)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, paths=paths, site=site))
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off; user root;"]


def _build_caddy_command(folder: Path, port: int, node_ports: Sequence[int]) -> list[str]:
    """Write the shipped site without TLS and without Caddy's own control port. Returns the command."""
    site = _replace_nodes((CONFIGURATIONS / "Caddyfile").read_text(), node_ports)
    site = site.replace("reviews.example.com {", f"http://127.0.0.1:{port} {{")
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n}}\n{site}")
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


def _replace_nodes(text: str, node_ports: Sequence[int]) -> str:
    for number, port in enumerate(node_ports, start=1):
        text = text.replace(f"10.0.0.1{number}:8080", f"127.0.0.1:{port}")
    return text
