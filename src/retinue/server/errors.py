"""How the domain says no: one exception with a stable code. The API maps codes to problems."""

from __future__ import annotations


class Refused(Exception):
    """A rule forbids it. ``code`` is stable, ``detail`` helps the caller, ``field`` names what is at fault.

    ``required`` are the permissions that would have been needed. Nothing is written when it is raised.
    """

    def __init__(
        self, code: str, detail: str, *, field: str | None = None, required: tuple[str, ...] = ()
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.field = field
        self.required = required


class NotFound(Refused):
    """There is no such object in this organization; objects of others are not told apart from none."""

    def __init__(self, noun: str, ident: str, *, field: str | None = None) -> None:
        super().__init__("not_found", f"there is no {noun} {ident!r} here", field=field)
