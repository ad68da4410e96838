"""From whom a new account has its permissions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from retinue.server.access import actions as access
from retinue.server.api import schemas
from retinue.server.errors import Refused


class CopyFrom(schemas.Body):
    """Whose permissions a new account gets: copied once, or linked and live."""

    account: str | None = Field(None, description="Id or handle of a service account.")
    role: str | None = Field(None, description="Handle or id of a role.")
    mode: Literal["copy", "link"] = "copy"

    def source(self) -> access.Source:
        """Return what is named. Refuses neither and both."""
        if (self.account is None) == (self.role is None):
            raise Refused("missing_field", "an account or a role, one of the two", field="copy_from")
        kind = "account" if self.role is None else "role"
        return access.Source(self.account or self.role or "", kind, self.mode)
