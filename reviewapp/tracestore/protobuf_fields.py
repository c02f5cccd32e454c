"""Find the fields of an encoded protobuf message, so that one message inside it can be refused by itself."""

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10


class TruncatedMessageError(ValueError):
    """A field is longer than its message, or of a type that protobuf does not have."""


def find_messages(message: bytes, path: tuple[int, ...]) -> Iterator[bytes]:
    """Yield the messages at a path of field numbers, in order. Raises TruncatedMessageError."""
    for number, content in _split_fields(message):
        if number == path[0] and content is not None:
            if len(path) == 1:
                yield content
            else:
                yield from find_messages(content, path[1:])


def _split_fields(message: bytes) -> Iterator[tuple[int, bytes | None]]:
    """Yield the number and content of each field; the content is None if it is a number."""
    position = 0
    while position < len(message):
        tag, position = _read_varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        content = None
        if wire_type == _VARINT:
            _, position = _read_varint(message, position)
        elif wire_type in (_FIXED64, _FIXED32):
            position += 8 if wire_type == _FIXED64 else 4
        elif wire_type == _BYTES:
            size, start = _read_varint(message, position)
            position = start + size
            content = message[start:position]
        else:
            raise TruncatedMessageError(f"field {number} has an unknown wire type")
        if position > len(message):
            raise TruncatedMessageError(f"field {number} is truncated")
        yield number, content


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    """Returns a number and the position after it."""
    value = 0
    for index, byte in enumerate(message[position : position + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise TruncatedMessageError("a number is truncated")
