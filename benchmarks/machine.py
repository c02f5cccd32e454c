"""How fast this machine is right now: a fixed loop, so that runs on other machines can be compared."""

import os
import time

ROUNDS, REPEATS = 400_000, 7


def measure_loop() -> float:
    """Milliseconds of the processor's time for a fixed loop, the fastest of several."""
    times = []
    for _ in range(REPEATS):
        started_at = time.process_time()
        total, table = 0, {}
        for number in range(ROUNDS):
            total = (total * 31 + number) % 1_000_003
            table[total % 512] = number
        times.append((time.process_time() - started_at) * 1_000)
    return round(min(times), 2)


def describe() -> dict[str, object]:
    """The loop's time, the number of cores, and how many programs wanted one in the last minute."""
    return {"loop_ms": measure_loop(), "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
