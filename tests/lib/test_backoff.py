"""How long to wait after a failure."""

from reviewapp.lib.backoff import failure_delay


def test_it_waits_as_long_as_the_server_asks() -> None:
    assert failure_delay(3, 120.0).total_seconds() == 120
