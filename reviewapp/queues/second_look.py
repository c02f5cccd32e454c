"""Choose at random which items one more person reviews."""

import hashlib

from reviewapp.queues.models import QueueItem

_HASH_RANGE = 2**64


def is_chosen(item: QueueItem) -> bool:
    """Whether the item is in the share that gets a second look; the answer is the same each time.

    Reviewers cannot foresee it: it depends on the queue and on the trace by a hash.
    """
    digest = hashlib.blake2b(item.trace_id.bytes, key=b"second look/%d" % item.queue_id, digest_size=8).digest()
    # Compare integers, so that 0 per cent never chooses an item and 100 per cent always does.
    return int.from_bytes(digest) * 10_000 < int(item.queue.second_look_percent * 100) * _HASH_RANGE
