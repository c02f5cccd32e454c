"""How much generated input the tests send: some in `make test`, `FUZZ_EXAMPLES` in `make fuzz`."""

import os

from hypothesis import HealthCheck, Phase, settings

_EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "")


def settings_for(examples: int) -> settings:
    """Returns the settings of a test that tries so many examples in `make test`; those of `make fuzz` are new ones."""
    return settings(
        max_examples=int(_EXAMPLES or examples),
        derandomize=not _EXAMPLES,
        # What fails is mostly made from one seed, which cannot be shrunk.
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
