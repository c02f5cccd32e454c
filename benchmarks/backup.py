"""Measure a backup of a big database while reviewers save, how long their saves take, and the restore of the backup."""

import json
import sqlite3
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg

from benchmarks.browser import Browser, make_review_fields
from benchmarks.environment import ROOT, Environment, fresh_environment

ITEMS, CLIENTS, SAVES_PER_SECOND, SIZE = 4_000, 4, 20, 1_000_000_000
# Every span once more, under another id.
COLUMNS = (
    "trace_id, parent_span_id, name, span_type, status, start_time, end_time, input, output, model, total_tokens,"
    " total_cost, attributes, event_texts"
)
SQLITE_ID, POSTGRES_ID = "lower(hex(randomblob(16)))", "gen_random_uuid()"


def run(database: str | None) -> dict[str, object]:
    with fresh_environment(database) as environment:
        queue_data = json.loads(environment.run("-m", "benchmarks.queue_data", str(ITEMS), str(CLIENTS)))
        while (size := _get_size(environment)) < SIZE:
            _double_spans(environment)
        with environment.web() as url:
            browsers = [Browser(url) for _ in range(CLIENTS)]
            for browser, name in zip(browsers, queue_data["people"], strict=True):
                browser.sign_in(name, queue_data["password"])
            file = environment.folder / "backup"
            command = [sys.executable, "manage.py", "backup", str(file)]
            started_at = time.perf_counter()
            backup = subprocess.Popen(command, cwd=ROOT, env=environment.env, stdout=subprocess.DEVNULL)  # noqa: S603
            with ThreadPoolExecutor(CLIENTS) as pool:
                times = list(pool.map(lambda browser: _save_meanwhile(browser, queue_data, backup), browsers))
            seconds = time.perf_counter() - started_at
            if backup.returncode:
                raise RuntimeError("The backup failed.")
        started_at = time.perf_counter()
        environment.run("manage.py", "restore", str(file), "--replace")
        restore_seconds = time.perf_counter() - started_at
        saves = [ms for client_times in times for ms in client_times]
        return {
            "name": "backup",
            "work": f"manage.py backup of {size / 1e6:,.0f} MB, checked, while {CLIENTS} reviewers together submit"
            f" {SAVES_PER_SECOND} reviews a second over HTTP; then manage.py restore",
            "backup_s": round(seconds, 1),
            "restore_s": round(restore_seconds, 1),
            "backup_mb": round(file.stat().st_size / 1e6),
            "saves_per_s": round(len(saves) / seconds, 1),
            "save_p50_ms": round(statistics.median(saves), 1),
            "save_max_ms": round(max(saves), 1),
        }


def _save_meanwhile(browser: Browser, queue_data: dict[str, str], backup: "subprocess.Popen[bytes]") -> list[float]:
    """Submit reviews at a steady rate until the backup has ended. Returns the milliseconds of each."""
    opened = browser.get(f"/p/{queue_data['project']}/queues/{queue_data['queue']}/review/")
    fields, item_path = make_review_fields(opened.body, 0), opened.location
    times: list[float] = []
    due_at = time.perf_counter()
    while backup.poll() is None:
        response = browser.post(item_path, {**fields, "score": f"0.{len(times) % 10}", "version": "0"})
        if response.status != 302:
            raise RuntimeError(f"A save got status {response.status} instead of 302.")
        times.append(response.ms)
        item_path = response.location
        due_at += CLIENTS / SAVES_PER_SECOND
        time.sleep(max(0.0, due_at - time.perf_counter()))
    return times


def _double_spans(environment: Environment) -> None:
    if url := environment.env.get("DATABASE_URL"):
        with psycopg.connect(url) as connection:
            connection.execute(_double(POSTGRES_ID))
        return
    with closing(sqlite3.connect(environment.folder / "reviewapp.sqlite3")) as database, database:
        database.execute(_double(SQLITE_ID))


def _double(new_id: str) -> str:
    return f"INSERT INTO reviewapp_span ({COLUMNS}, span_id) SELECT {COLUMNS}, {new_id} FROM reviewapp_span"  # noqa: S608


def _get_size(environment: Environment) -> int:
    """Return the size of the database in bytes."""
    if url := environment.env.get("DATABASE_URL"):
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
            return int(row[0]) if row else 0
    return (environment.folder / "reviewapp.sqlite3").stat().st_size
