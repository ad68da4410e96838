"""Forms in which a person chooses a password."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from retinue.server.directory.queries import Login
from retinue.server.directory.rules import PASSWORD_MAX


class NotSentBack(forms.TextInput):
    """A field whose text people should see while they enter it, and that no page repeats."""

    def format_value(self, value: Any) -> None:
        return None


class PasswordForm(forms.Form):
    """A new password, twice. It stands last, whatever other fields a form has."""

    password = forms.CharField(
        label=_("Password"),
        max_length=PASSWORD_MAX,
        strip=False,
        help_text=_("At least 8 characters; 15 or more are better."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        error_messages={"required": _("Enter a password.")},
    )
    again = forms.CharField(
        label=_("Password once more"),
        max_length=PASSWORD_MAX,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        error_messages={"required": _("Enter the password once more.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields([name for name in self.fields if name not in ("password", "again")])

    def address(self) -> str:
        """Return the address that the password must not be like."""
        return ""

    def clean(self) -> dict[str, Any]:
        """Judge the password, which must not be like the address, and its repetition."""
        given: dict[str, Any] = self.cleaned_data
        password, again = given.get("password"), given.get("again")
        if password is None:
            return given
        if again is not None and again != password:
            self.add_error("again", _("The two passwords differ."))
        try:
            validate_password(password, Login(email=self.address()))
        except ValidationError as error:
            self.add_error("password", error)
        return given
