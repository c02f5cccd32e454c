"""Files over real sockets: who may send one, and what happens to one that is too large."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.environment import Environment, fresh_environment
from tests.web.test_slow_clients import Server, receive_all

MB = 1024 * 1024
SETUP = """
import django; django.setup()
from datetime import timedelta
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from reviewapp.accounts.models import Membership, Project, User
from reviewapp.accounts.sessions import SessionStore, hash_id
from reviewapp.accounts.sign_in_models import Session
from reviewapp.keys.tokens import create_token
from reviewapp.lib import clock
from reviewapp.queues.creating import create_queue
project = Project.objects.create(slug="support", name="Support", base_url="http://127.0.0.1:1")
create_queue(project, "answers", "Answers", "command")
user, now = User.objects.create_user("rosa"), clock.now()
Membership.objects.create(project=project, user=user, role="lead")
Session.objects.create(
    digest=hash_id("ended"), data="", user=user, created_at=now, seen_at=now, expires_at=now - timedelta(days=1)
)
session = SessionStore()
session.update({
    SESSION_KEY: str(user.pk), BACKEND_SESSION_KEY: "reviewapp.accounts.sessions.Backend",
    HASH_SESSION_KEY: user.get_session_auth_hash(),
})
session.create()
print(create_token(project, "ci", "command"), session.session_key)
"""
COUNT = """
import django; django.setup()
from reviewapp.queues.models.upload import Upload, UploadChunk
print(Upload.objects.count() + UploadChunk.objects.count())
"""
PAGE = "/p/support/queues/answers/uploads/"
API = "/api/v1/queues/answers/uploads"
FORM = "Content-Type: multipart/form-data; boundary=B"
WAIT = "Expect: 100-continue"
GO_ON = b"HTTP/1.1 100 Continue\r\n"


@dataclass(frozen=True, slots=True)
class App:
    """A running review app with an access token, a session that is open, and one that has ended."""

    server: Server
    environment: Environment
    token: str
    session: str

    def send(self, path: str, credentials: str, size: int, *headers: str, body: bytes = b"") -> bytes:
        """Announce a body of `size` bytes, 0 for one in chunks. Returns the answer, or the request to go on."""
        length = f"Content-Length: {size}" if size else "Transfer-Encoding: chunked"
        lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Connection: close", length, credentials, *headers]
        with self.server.connect("\r\n".join([*lines, "", ""]).encode()) as client:
            client.sendall(body)
            answer = client.recv(65536)
            return answer if answer.startswith(GO_ON) else answer + receive_all(client)


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    with fresh_environment(None) as environment:
        token, session = environment.run("-c", SETUP).split()[-2:]
        with environment.web() as url:
            yield App(Server(url, "", {}), environment, token, session)


@pytest.mark.parametrize(
    "credentials", ["X-None: 1", "Cookie: sessionid=ended", "Cookie: sessionid=wrong", "Cookie: a"]
)
def test_it_reads_no_file_of_somebody_who_is_signed_out(app: App, credentials: str) -> None:
    answer = app.send(PAGE, credentials, 50 * MB, FORM, WAIT)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"You are signed out, so the file was not read." in answer


@pytest.mark.parametrize("credentials", ["X-None: 1", "Authorization: Bearer rvw_wrong", "Authorization: Basic x"])
def test_it_reads_no_file_without_a_valid_token(app: App, credentials: str) -> None:
    assert app.send(API, credentials, 50 * MB, WAIT).startswith(b"HTTP/1.1 401 ")


def test_it_reads_no_file_in_chunks_without_a_valid_token(app: App) -> None:
    chunk = b"100000\r\n" + b"x" * MB + b"\r\n"
    assert app.send(API, "Authorization: Bearer rvw_wrong", 0, body=chunk * 6).startswith(b"HTTP/1.1 401 ")


def test_it_asks_for_the_file_of_somebody_who_is_known(app: App) -> None:
    assert app.send(PAGE, f"Cookie: sessionid={app.session}", 50 * MB, FORM, WAIT) == GO_ON + b"\r\n"
    assert app.send(API, f"Authorization: Bearer {app.token}", 50 * MB, WAIT) == GO_ON + b"\r\n"


def test_it_asks_for_a_large_body_only_where_files_are_sent(app: App) -> None:
    answer = app.send("/api/v1/patches", f"Authorization: Bearer {app.token}", 50 * MB, WAIT)
    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("kind", ["session", "token"])
def test_it_refuses_a_file_of_a_gigabyte(app: App, kind: str) -> None:
    """The answer comes before the file: whoever sends on is cut off."""
    token, session = f"Authorization: Bearer {app.token}", f"Cookie: sessionid={app.session}"
    url, *headers = (API, token) if kind == "token" else (PAGE, session, FORM)
    before = measure_peak_memory()
    answer = app.send(url, headers[0], 1024 * MB, *headers[1:], body=b"x" * 16 * MB)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"The file is larger than 100 MB." in answer
    assert measure_peak_memory() - before < 10_000
    assert app.environment.run("-c", COUNT).split() == ["0"]


def measure_peak_memory() -> int:
    """The largest peak of a process below this one, in KB."""
    peaks, parents = [0], {os.getpid()}
    processes = sorted(int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())
    for pid in processes:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        if int(fields["PPid"]) in parents:
            parents.add(pid)
            peaks.append(int(fields.get("VmHWM", "0 kB").split()[0]))
    return max(peaks)
