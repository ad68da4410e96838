"""Lists with filters: what is asked for stands in the address, and pages follow each other by a cursor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlencode

from django.http import HttpResponse, QueryDict
from django.utils.dateparse import parse_datetime

from retinue.server.console import saving, tables
from retinue.server.console.viewer import Trouble, Viewer
from retinue.server.directory.queries import people_and_accounts

PAGE = "50"
#: So many people and accounts are suggested.
SUGGESTED = 200


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of the API, as a field of the form; with ``choices`` (value and label) one is picked.

    ``kind`` is ``people`` for a user or account, by name, and ``many`` for several choices, which the page's
    own template shows. Choices within choices are a group with a name.
    """

    name: str
    label: object
    choices: Mapping[str, object] | None = None
    placeholder: str = ""
    #: It is an instant, which the browser helps to pick. What is picked is UTC.
    is_instant: bool = False
    kind: Literal["text", "people", "many"] = "text"

    def asked(self, given: QueryDict) -> str:
        """Return what an address asks for, as the API takes it."""
        if self.kind == "many":
            return ",".join(each for each in given.getlist(self.name) if each)
        return given.get(self.name, "").strip()


@dataclass(frozen=True, slots=True)
class Listing:
    """A list: the operation that gives it, its filters, its template, and the place in the rail."""

    operation: str
    template: str
    place: str
    filters: Sequence[Filter] = ()
    #: Which table of ``tables`` it is, if its columns can be chosen.
    shaped: str = ""

    def show(
        self,
        viewer: Viewer,
        *,
        path: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
        beside: Mapping[str, str] | None = None,
        told: Callable[[dict[str, Any]], dict[str, Any]] = lambda item: item,
        together: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = lambda items: items,
        **context: Any,
    ) -> HttpResponse:
        """Show what the address asks for. A filter that the API refuses is told beside its field.

        ``query`` is sent with the filters; ``beside`` is what the address says besides them, and links keep.
        ``told`` is what the template gets of an item; ``together`` looks at all of a page at once before.
        """
        given = viewer.request.GET
        if exact := self._exact(given):
            return viewer.leave(f"{viewer.request.path}{changed(given, **exact)}")
        asked = {each.name: each.asked(given) for each in self.filters}
        sent = {name: value for name, value in asked.items() if value} | (query or {})
        page = {"cursor": given["cursor"]} if given.get("cursor") else {}
        outcome = viewer.call(self.operation, path, query={**sent, **page, "limit": PAGE})
        field = str(outcome.body.get("field") or "").removeprefix("query.")
        if not outcome.is_done and field not in asked:
            raise Trouble(self.operation, outcome)
        wrong = {} if outcome.is_done else {field: outcome.body.get("detail") or outcome.body["title"]}
        kept = {name: value for name, value in asked.items() if value}
        following = outcome.body.get("next")
        shape = tables.kept(viewer) if self.shaped else {}
        table = {**shape, **(beside or {})}
        if self.shaped:
            shown = tables.shape_of(viewer, self.shaped)
            context |= {"shape": shown, "tools": tables.tools(viewer, shown), "view": saving.opened(viewer)}
        return viewer.render(
            self.template,
            outcome.status if wrong else 200,
            as_of=outcome.body.get("as_of"),
            items=[told(each) for each in together(outcome.body.get("items", []))],
            is_wrong=bool(wrong),
            people=people_of(viewer) if any(each.kind == "people" for each in self.filters) else [],
            fields=[
                self._field(viewer, each, asked[each.name], wrong.get(each.name, "")) for each in self.filters
            ],
            following=(
                f"?{urlencode({**kept, **shape, **(query or {}), 'cursor': following})}" if following else ""
            ),
            first=f"?{urlencode({**kept, **table})}" if page else "",
            table=table.items(),
            is_narrowed=bool(kept or beside),
            place=self.place,
            asked=asked,
            **context,
        )

    def _exact(self, given: QueryDict) -> dict[str, str]:
        """Return the instants that the address gives without a zone, with theirs."""
        named = {each.name: given.get(each.name, "").strip() for each in self.filters if each.is_instant}
        found = {name: instant_of(value) for name, value in named.items()}
        return {
            name: at.strftime("%Y-%m-%dT%H:%M:%SZ")
            for name, at in found.items()
            if at is not None and at.tzinfo is None
        }

    @staticmethod
    def _field(viewer: Viewer, of: Filter, value: str, wrong: object) -> dict[str, Any]:
        at = instant_of(value) if of.is_instant else None
        if at is not None:  # as the field of a browser has it
            value = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S").removesuffix(":00")
        return {
            # What is no instant stands in the field as it was written.
            "type": "datetime-local" if of.is_instant and (at or not value) else "text",
            "name": of.name,
            "label": of.label,
            "choices": None if of.choices is None else viewer.words.choices(of.choices),
            "placeholder": of.placeholder,
            "value": value,
            "chosen": value.split(",") if of.kind == "many" else (),
            "kind": of.kind,
            "wrong": wrong,
        }


def instant_of(text: str) -> datetime | None:
    """Return the instant that a text says, with a zone or without."""
    try:
        return parse_datetime(text)
    except ValueError:
        return None


def changed(given: QueryDict, **new: str) -> str:
    """Return the query of the same page with something else; pages begin anew."""
    kept = {name: value for name, value in given.items() if value and name != "cursor"} | new
    return "?" + urlencode({name: value for name, value in kept.items() if value})


def people_of(viewer: Viewer) -> list[tuple[str, str]]:
    """Return handle and name of some users and accounts that a field can suggest to the viewer."""
    if not (viewer.may("list_users") and viewer.may("list_service_accounts")):
        return []
    rows = people_and_accounts(viewer.organization.id).order_by("-kind", "name", "id")
    return list(rows.values_list("handle", "name")[:SUGGESTED])
