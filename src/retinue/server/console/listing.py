"""Lists with filters: what is asked for stands in the address, and pages follow each other by a cursor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse

from retinue.server.console import saving, tables
from retinue.server.console.viewer import Trouble, Viewer

PAGE = "50"


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of the API, as a field of the form; with ``choices`` (value and label) one is picked."""

    name: str
    label: object
    choices: Mapping[str, object] | None = None
    placeholder: str = ""


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
        told: Callable[[dict[str, Any]], dict[str, Any]] = lambda item: item,
        **context: Any,
    ) -> HttpResponse:
        """Show what the address asks for. A filter that the API refuses is told beside its field."""
        given = viewer.request.GET
        asked = {each.name: given.get(each.name, "").strip() for each in self.filters}
        sent = {name: value for name, value in asked.items() if value} | (query or {})
        page = {"cursor": given["cursor"]} if given.get("cursor") else {}
        outcome = viewer.call(self.operation, path, query={**sent, **page, "limit": PAGE})
        field = str(outcome.body.get("field") or "").removeprefix("query.")
        if not outcome.is_done and field not in asked:
            raise Trouble(self.operation, outcome)
        wrong = {} if outcome.is_done else {field: outcome.body.get("detail") or outcome.body["title"]}
        kept = {name: value for name, value in asked.items() if value}
        following = outcome.body.get("next")
        table = tables.kept(viewer) if self.shaped else {}
        if self.shaped:
            shape = tables.shape_of(viewer, self.shaped)
            context |= {"shape": shape, "tools": tables.tools(viewer, shape), "view": saving.opened(viewer)}
        return viewer.render(
            self.template,
            outcome.status if wrong else 200,
            as_of=outcome.body.get("as_of"),
            items=[told(each) for each in outcome.body.get("items", [])],
            fields=[self._field(each, asked[each.name], wrong.get(each.name, "")) for each in self.filters],
            following=f"?{urlencode({**kept, **table, 'cursor': following})}" if following else "",
            first=f"?{urlencode({**kept, **table})}" if page else "",
            table=table.items(),
            is_narrowed=bool(kept),
            place=self.place,
            asked=asked,
            **context,
        )

    @staticmethod
    def _field(of: Filter, value: str, wrong: object) -> dict[str, Any]:
        return {
            "name": of.name,
            "label": of.label,
            "choices": None if of.choices is None else list(of.choices.items()),
            "placeholder": of.placeholder,
            "value": value,
            "wrong": wrong,
        }
