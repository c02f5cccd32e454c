"""Datasets: names, and datapoints of data, target and metadata as JSON text."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from reviewapp.tracestore import database, ids, jsonb

_FIND_DATASET = {
    "name": "SELECT row, id FROM dataset WHERE project = ? AND name = ?",
    "id": "SELECT row, id FROM dataset WHERE project = ? AND id = ?",
}
# A datapoint that is sent again under its id replaces the one before, as in Laminar.
_SAVE_DATAPOINT = """
INSERT INTO datapoint (dataset, id, data, target, metadata, created_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (dataset, id) DO UPDATE SET
    data = excluded.data, target = excluded.target, metadata = excluded.metadata, created_at = excluded.created_at
"""
_READ_DATAPOINTS = """
SELECT id, data, target, metadata, created_at FROM datapoint WHERE dataset = ? ORDER BY id LIMIT ? OFFSET ?
"""


class InvalidDatapointError(ValueError):
    """A datapoint is not as Laminar wants it."""


class NameTakenError(Exception):
    """A dataset that should be created exists."""


class UnknownDatasetError(Exception):
    """The project has no such dataset."""


@dataclass(frozen=True, slots=True)
class SavedDatapoints:
    """What a request stored: the dataset's id, whether it is new, and the id and time of each datapoint."""

    dataset_id: str
    is_new: bool
    datapoints: list[dict[str, str]]


def list_all(project: int, dataset_id: str, name: str | None, project_id: str) -> list[dict[str, str]]:
    """The project's datasets, newest first; only those with this id or name if given."""
    rows = database.reader().execute(
        "SELECT id, name, created_at FROM dataset WHERE project = ? AND (? = '' OR id = ?)"
        " AND (? IS NULL OR name = ?) ORDER BY row DESC",
        (project, dataset_id, dataset_id, name, name),
    )
    return [{"id": row[0], "name": row[1], "projectId": project_id, "createdAt": row[2]} for row in rows]


def read_page(project: int, kind: str, value: str, limit: int, offset: int) -> tuple[int, bytes]:
    """The number of a dataset's datapoints, and a page of them by id as JSON. Raises UnknownDatasetError."""
    dataset = database.reader().execute(_FIND_DATASET[kind], (project, value)).fetchone()
    if dataset is None:
        raise UnknownDatasetError
    row, dataset_id = dataset
    (total,) = database.reader().execute("SELECT count(*) FROM datapoint WHERE dataset = ?", (row,)).fetchone()
    items = [
        f'{{"id":"{point_id}","datasetId":"{dataset_id}","data":{data},"target":{target},"metadata":{metadata},'
        f'"createdAt":"{created_at}"}}'
        for point_id, data, target, metadata, created_at in database.reader().execute(
            _READ_DATAPOINTS, (row, limit, offset)
        )
    ]
    return total, f"[{','.join(items)}]".encode()


def save(project: int, kind: str, value: str, datapoints: list[Any], *, creates: bool) -> SavedDatapoints:
    """Store datapoints in a dataset, a new one if `creates`; all of them or none.

    Raises InvalidDatapointError, NameTakenError, UnknownDatasetError.
    """
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    points = [_read_datapoint(datapoint) for datapoint in datapoints]
    with database.writing() as connection:
        dataset = connection.execute(_FIND_DATASET[kind], (project, value)).fetchone()
        if creates and dataset is not None:
            raise NameTakenError
        if creates:
            dataset_id = str(uuid4())
            cursor = connection.execute(
                "INSERT INTO dataset (project, id, name, created_at) VALUES (?, ?, ?, ?)",
                (project, dataset_id, value, now),
            )
            dataset = (cursor.lastrowid, dataset_id)
        if dataset is None:
            raise UnknownDatasetError
        connection.executemany(_SAVE_DATAPOINT, [(dataset[0], *point, now) for point in points])
    return SavedDatapoints(dataset[1], creates, [{"id": point[0], "createdAt": now} for point in points])


def _read_datapoint(value: Any) -> tuple[str, str, str, str]:
    """A datapoint's id, data, target and metadata. Raises InvalidDatapointError."""
    if not isinstance(value, dict) or "data" not in value:
        raise InvalidDatapointError("missing field `data`")
    metadata = value.get("metadata", {})
    if not isinstance(metadata, dict):
        raise InvalidDatapointError("invalid type: expected a map of metadata")
    try:
        point_id = str(uuid4()) if value.get("id") is None else ids.uuid(value["id"])
        return point_id, jsonb.dumps(value["data"]), jsonb.dumps(value.get("target")), jsonb.dumps(metadata)
    except (ids.InvalidIdError, jsonb.UnstorableError) as error:
        raise InvalidDatapointError(str(error)) from None


def format_page(total: int, items: bytes) -> bytes:
    """A page of datapoints as Laminar answers it."""
    return b'{"totalCount":%d,"items":%b,"anyInProject":%b}' % (total, items, json.dumps(total > 0).encode())
