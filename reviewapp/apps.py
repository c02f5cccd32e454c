"""The Django app: registers its checks of the settings."""

from django.apps import AppConfig
from django.core.checks import register


class ReviewAppConfig(AppConfig):
    name = "reviewapp"

    def ready(self) -> None:
        # Models and settings are ready only now.
        from reviewapp.web.settings_checks import CHECKS, TAG  # noqa: PLC0415

        for check in CHECKS.values():
            register(check, TAG)
