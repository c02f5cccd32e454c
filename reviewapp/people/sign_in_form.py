"""The form of the sign-in page, with its limits."""

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

from reviewapp.accounts import known_devices
from reviewapp.accounts.password_hasher import BusyError, take_place
from reviewapp.accounts.sign_in_throttle import ThrottledError, Try, count_try
from reviewapp.web.client_address import get_address

THROTTLED_MESSAGE = "Too many failed attempts. Wait ten minutes, then try again."
BUSY_MESSAGE = "Many people are signing in at once. Wait a few seconds, then try again."


class SignInForm(AuthenticationForm):
    """Counts the try under the name as the form reads it, then checks the password."""

    # None if the password was not checked.
    counted: Try | None = None

    def clean(self) -> dict[str, Any]:
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if not name or not password or self.request is None:
            return self.cleaned_data
        device = known_devices.find_known_id(self.request, name)
        try:
            with take_place(is_known=bool(device)):
                self.counted = count_try(name, get_address(self.request), device)
                return super().clean()
        except ThrottledError:
            raise ValidationError(THROTTLED_MESSAGE, code="throttled") from None
        except BusyError:
            raise ValidationError(BUSY_MESSAGE, code="busy") from None

    @property
    def is_refused(self) -> bool:
        """Whether the password was not checked because of a limit."""
        return self.has_error("__all__", "throttled") or self.has_error("__all__", "busy")
