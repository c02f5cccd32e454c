"""Encrypt all Laminar keys with the newest master key, so that an older one can be retired."""

from collections import Counter
from collections.abc import Iterator

from django.db import transaction
from django.db.models import QuerySet

from reviewapp.audit.recording import record
from reviewapp.keys import encryption
from reviewapp.keys.encryption import DecryptionError
from reviewapp.keys.models import LaminarKey

BATCH_SIZE = 100


def count_by_master() -> Counter[str]:
    """How many stored keys, active and replaced, each master key encrypts, by its id; "" for malformed ones."""
    texts = LaminarKey.objects.exclude(encrypted_secret="").values_list("encrypted_secret", flat=True)
    return Counter(encryption.get_master_id(text) for text in texts.iterator())


def select_outdated() -> QuerySet[LaminarKey]:
    """The stored keys that the newest master key does not encrypt yet."""
    newest = f"{encryption.VERSION}.{encryption.load_master_keys()[0].id}."
    return LaminarKey.objects.exclude(encrypted_secret="").exclude(encrypted_secret__startswith=newest)


def rotate_master_key() -> Iterator[tuple[LaminarKey, bool]]:
    """Encrypt every outdated key again, each in a transaction of its own. Yields each key and whether it worked.

    Run it again after an interruption: what is done is done. Workers and web nodes may run meanwhile: a key that is
    replaced at the same moment is left as it is. A key that cannot be decrypted stays as it was.
    """
    last_pk = None
    while True:
        batch = select_outdated().select_related("project").order_by("pk")
        keys = list((batch if last_pk is None else batch.filter(pk__gt=last_pk))[:BATCH_SIZE])
        if not keys:
            return
        for key in keys:
            yield key, _encrypt_again(key)
        last_pk = keys[-1].pk


def _encrypt_again(key: LaminarKey) -> bool:
    before = key.encrypted_secret
    try:
        after = key.encrypt_again()
    except DecryptionError:
        return False
    with transaction.atomic():
        if LaminarKey.objects.filter(pk=key.pk, encrypted_secret=before).update(encrypted_secret=after):
            masters = {"before": encryption.get_master_id(before), "after": encryption.get_master_id(after)}
            record(key.project, "command", "rotated master key", f"key:{key.fingerprint}", **masters)
    return True
