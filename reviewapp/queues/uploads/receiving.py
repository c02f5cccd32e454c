"""Store a file in the database as it arrives: checked, as UTF-8 with line feeds, in chunks, never as a whole."""

import codecs
import hashlib
import io
import logging
from collections.abc import Callable, Iterable
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from reviewapp.accounts.models import User
from reviewapp.audit.recording import get_actor_name, record
from reviewapp.lib import canonical_json, clock
from reviewapp.lib.shortening import shorten
from reviewapp.lib.storable_text import to_storable_text
from reviewapp.queues.models import Queue
from reviewapp.queues.models.upload import Upload, UploadChunk, UploadState
from reviewapp.queues.uploads import columns

log = logging.getLogger(__name__)

# How long a finished file is kept, so that it can be processed again, and one whose sender has disappeared.
RETENTION = timedelta(days=7)
RECEIVING_TIMEOUT = timedelta(hours=1)
_BINARY_FORMATS = {
    b"PK\x03\x04": "an Excel workbook or a ZIP file", b"\xd0\xcf\x11\xe0": "an Excel workbook", b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip file", b"PAR1": "a Parquet file", b"SQLite format 3": "a database", b"\x89PNG": "a picture",
}  # fmt: skip
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
SAVE_AS = "Save it as CSV in UTF-8 (in Excel “CSV UTF-8”) or as JSONL and upload it again. Nothing was added."


class UploadRefused(ValueError):
    """The file cannot be read and nothing of it is kept; the message is a sentence."""


def receive(
    queue: Queue,
    actor: User | str,
    name: str,
    blocks: Iterable[bytes],
    choose_columns: Callable[[columns.Layout], None] | None = None,
) -> tuple[Upload, bool]:
    """Store a file. Returns it, or the same file uploaded to this queue before, and whether it is new.

    `choose_columns` may change the guessed layout. Raises UploadRefused, and what it raises.
    """
    upload = Upload.objects.create(
        queue=queue, kind=Upload.Kind.CSV, name=shorten(to_storable_text(name), 200),
        user=actor if isinstance(actor, User) else None, made_by=get_actor_name(actor),
    )  # fmt: skip
    try:
        digest = _store(upload, blocks)
        layout = columns.guess_layout(upload)
        if choose_columns is not None:
            choose_columns(layout)
        upload.layout, upload.kind = canonical_json.dumps(layout.to_json()), Upload.Kind(layout.kind)
    except columns.UnreadableFileError as error:
        upload.delete()
        raise UploadRefused(str(error)) from None
    except Exception:
        upload.delete()
        raise
    upload.digest, upload.state = digest, UploadState.MAPPING
    try:
        with transaction.atomic():
            upload.save()
            record(queue.project, actor, "uploaded file", f"queue:{queue.slug}", name=upload.name, sha256=digest)
    except IntegrityError:
        earlier = Upload.objects.filter(queue=queue, digest=digest).first()
        upload.delete()
        if earlier is None:
            raise UploadRefused("The same file was cancelled at this moment. Upload it again.") from None
        return earlier, False
    return upload, True


def forget_old_files() -> None:
    """Delete the content of one file that is done or cancelled for RETENTION, or whose upload never ended."""
    now = clock.now()
    abandoned = Upload.objects.filter(state=UploadState.RECEIVING, made_at__lt=now - RECEIVING_TIMEOUT)
    for upload in abandoned.order_by("pk")[:1]:
        upload.delete()
    ended = UploadChunk.objects.filter(
        upload__processed_at__lt=now - RETENTION, upload__state__in=[UploadState.DONE, UploadState.CANCELLED]
    )
    pk = ended.values_list("upload", flat=True).first()
    if pk is not None:
        UploadChunk.objects.filter(upload=pk).delete()
        # The same file can be uploaded again.
        Upload.objects.filter(pk=pk).update(digest=None)


def _store(upload: Upload, blocks: Iterable[bytes]) -> str:
    """Store the chunks and set the upload's size. Returns the file's digest. Raises UploadRefused."""
    digest, received, line_count = hashlib.sha256(), 0, 0
    decoder: io.IncrementalNewlineDecoder | None = None
    buffer = bytearray()
    for block in _with_long_first_block(blocks):
        received += len(block)
        check_size(received)
        digest.update(block)
        if decoder is None:
            decoder = io.IncrementalNewlineDecoder(_find_decoder(block), translate=True)
        text = _decode(decoder, block, line_count)
        line_count += text.count("\n")
        buffer += text.encode()
        _write_chunks(upload, buffer)
    if decoder is not None:
        buffer += _decode(decoder, b"", line_count, is_last=True).encode()
        _write_chunks(upload, buffer, is_last=True)
    return digest.hexdigest()


def check_size(size: int) -> None:
    """Raises UploadRefused for a file of more bytes than the settings allow."""
    if size > settings.UPLOAD_MAX_BYTES:
        limit = settings.UPLOAD_MAX_BYTES / 1024 / 1024
        raise UploadRefused(f"The file is larger than {limit:,.0f} MB. Nothing was added. Split it into smaller files.")


def _with_long_first_block(blocks: Iterable[bytes]) -> Iterable[bytes]:
    """The same bytes, the first block long enough to tell an encoding by it."""
    first = bytearray()
    is_first = True
    for block in blocks:
        if not is_first:
            yield block
            continue
        first += block
        if len(first) >= 4_096:
            is_first = False
            yield bytes(first)
    if is_first and first:
        yield bytes(first)


def _find_decoder(block: bytes) -> codecs.IncrementalDecoder:
    """The decoder of a file that begins with `block`. Raises UploadRefused for one that is no text."""
    for magic, noun in _BINARY_FORMATS.items():
        if block.startswith(magic):
            raise UploadRefused(f"The file is {noun}, not a text file. {SAVE_AS}")
    encoding = next((name for bom, name in _BOMS.items() if block.startswith(bom)), "")
    sample = block[:4_096]
    if not encoding and len(sample) > 1:
        half = len(sample) / 2
        if sample[1::2].count(0) > half * 0.7 > sample[::2].count(0):
            encoding = "utf-16-le"
        elif sample[::2].count(0) > half * 0.7 > sample[1::2].count(0):
            encoding = "utf-16-be"
        elif sum(byte < 9 or 13 < byte < 27 for byte in sample) > len(sample) * 0.05:
            raise UploadRefused(f"The file is not a text file. {SAVE_AS}")
    return codecs.getincrementaldecoder(encoding or "utf-8")()


def _decode(decoder: io.IncrementalNewlineDecoder, block: bytes, line_count: int, *, is_last: bool = False) -> str:
    """Raises UploadRefused, naming the line."""
    try:
        return decoder.decode(block, final=is_last)
    except UnicodeDecodeError as error:
        content = bytes(error.object)[: error.start]
        line = line_count + content.decode(error.encoding, "replace").count("\n") + 1
        encoding = "UTF-16" if "16" in error.encoding else "UTF-8"
        raise UploadRefused(
            f"Line {line:,} is not valid {encoding}: the file has another encoding, such as Latin-1, or several."
            f" {SAVE_AS}"
        ) from None


def _write_chunks(upload: Upload, buffer: bytearray, *, is_last: bool = False) -> None:
    """Move full chunks from the buffer to the database; with `is_last` also the rest."""
    size = UploadChunk.CHUNK_BYTES
    while len(buffer) >= size or (is_last and buffer):
        number = upload.size // size
        content = bytes(buffer[:size])
        UploadChunk.objects.create(upload=upload, number=number, content=content)
        del buffer[:size]
        upload.size += len(content)
