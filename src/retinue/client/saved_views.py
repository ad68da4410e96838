"""Saved views of lists: what the API answers, as types, and its operations; see ``models``."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field

from retinue.client.models import Page, PrincipalRef
from retinue.client.operations import Operation

Names = list[str]
#: `list` is a field below.
_none: Callable[[], Names] = list


class SavedView(Struct, kw_only=True):
    """Filters, sort and columns of a list under a name."""

    id: str
    list: str
    name: str
    filters: dict[str, str] = field(default_factory=dict)
    sort: str | None = None
    columns: Names = field(default_factory=_none)
    density: str | None = None
    shared: bool = False
    owner: PrincipalRef
    owner_left: bool = False
    stale: Names = field(default_factory=_none)
    created_at: str | None = None
    updated_at: str | None = None


_VIEW = "/v1/saved-views/{id}"
LIST: Operation[Page[SavedView]] = Operation("GET", "/v1/saved-views", "", Page[SavedView])
CREATE: Operation[SavedView] = Operation("POST", "/v1/saved-views", "", SavedView, True)
GET: Operation[SavedView] = Operation("GET", _VIEW, "", SavedView)
EDIT: Operation[SavedView] = Operation("PATCH", _VIEW, "", SavedView)
DELETE: Operation[SavedView] = Operation("DELETE", _VIEW, "", SavedView)
