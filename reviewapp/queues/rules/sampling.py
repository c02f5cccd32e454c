"""A draw that comes out the same each time: whether a trace belongs to a share of so many per cent."""

import hashlib
from decimal import Decimal
from uuid import UUID

_WHOLE = 2**64


def is_sampled(trace_id: UUID, percent: Decimal, salt: str) -> bool:
    """Whether this trace is in; a larger share holds all of a smaller one, another salt draws independently."""
    digest = hashlib.blake2b(trace_id.bytes, key=salt.encode(), digest_size=8).digest()
    # In whole numbers, so that 0 is never and 100 always.
    return int.from_bytes(digest) * 10_000 < int(percent * 100) * _WHOLE
