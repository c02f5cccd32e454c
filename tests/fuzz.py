"""How much generated input the tests send: a little in `make test`, more in `make test-slow`, most in `make fuzz`."""

import os

from hypothesis import HealthCheck, Phase, settings

_EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "")
# `make test-slow` sets it.
_SENDS_ALL = bool(os.environ.get("FUZZ_ALL"))


def settings_for(examples: int) -> settings:
    """Returns the settings of a test that tries so many examples in `make test-slow`, and a tenth in `make test`.

    Those of `make fuzz` are new ones.
    """
    share = examples if _SENDS_ALL else examples // 10
    return settings(
        max_examples=int(_EXAMPLES or max(share, 3)),
        derandomize=not _EXAMPLES,
        # What fails is mostly made from one seed, which cannot be shrunk.
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
