"""Give a process of a run a wrong clock, as the host it would run on might have."""

import threading
import time
from collections.abc import Sequence

import time_machine

HOUR = 3_600.0
# Hosts an hour apart from the database's, and one whose clock jumps forth and back by two hours.
WRONG_CLOCKS: tuple[Sequence[float], ...] = ((HOUR,), (-HOUR,), (0.0, 2 * HOUR, 0.0, -2 * HOUR))


def set_host_clock(offsets: Sequence[float], seconds: float = 1.0) -> None:
    """Put this process's clock ahead by the first of these offsets, in seconds; jump to the next every `seconds`."""
    traveller = time_machine.travel(time.time() + offsets[0], tick=True).start()
    if len(offsets) > 1:
        threading.Thread(target=_jump, args=(traveller, offsets, seconds), daemon=True).start()


def _jump(traveller: time_machine.Traveller, offsets: Sequence[float], seconds: float) -> None:
    number = 0
    while True:
        time.sleep(seconds)
        number += 1
        traveller.shift(offsets[number % len(offsets)] - offsets[(number - 1) % len(offsets)])
