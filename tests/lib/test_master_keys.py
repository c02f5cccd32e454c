"""Master keys are read strictly: one that is short, odd or has no id stops the start."""

import base64

import pytest

from reviewapp.lib.master_keys import InvalidMasterKeyError, parse_master_keys

SECRET = bytes(range(32))
ENCODED = base64.b64encode(SECRET).decode()


def test_it_reads_keys_in_order() -> None:
    keys = parse_master_keys([f"2027:{base64.b64encode(SECRET[::-1]).decode()}", f" old-1:{ENCODED} "])

    assert [(key.id, key.secret) for key in keys] == [("2027", SECRET[::-1]), ("old-1", SECRET)]


def test_it_hides_the_key() -> None:
    assert repr(parse_master_keys([f"a:{ENCODED}"])) == "[MasterKey(id='a')]"


@pytest.mark.parametrize(
    "text",
    [
        "", ":", ENCODED, f":{ENCODED}", f"A:{ENCODED}", f"a b:{ENCODED}", "a:", "a:short", f"a:{ENCODED[:-8]}",
        f"a:{ENCODED}!", f"a:{base64.b64encode(bytes(32)).decode()}", f"{'a' * 33}:{ENCODED}", f"\u00e9:{ENCODED}",
    ],
)  # fmt: skip
def test_it_refuses_a_key_without_showing_it(text: str) -> None:
    with pytest.raises(InvalidMasterKeyError) as caught:
        parse_master_keys([text])
    assert ENCODED[:20] not in str(caught.value)


def test_it_refuses_two_keys_of_one_id() -> None:
    with pytest.raises(InvalidMasterKeyError, match="two keys with the id"):
        parse_master_keys([f"a:{ENCODED}", f"a:{ENCODED}"])
