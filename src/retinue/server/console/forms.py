"""What a form sent, and what the API says of it, field by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from retinue.server.console.borrowed import said


@dataclass
class Form:
    """Values by field, and what is wrong: ``errors`` by field, ``problem`` where no field is at fault."""

    values: dict[str, str]
    lists: dict[str, list[str]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    problem: Mapping[str, Any] | None = None

    @classmethod
    def read(cls, given: QueryDict, fields: Iterable[str], many: Iterable[str] = ()) -> Form:
        """Read a form, or the query of an address that fills it in. A browser's line breaks become ours."""
        values = {name: given.get(name, "").replace("\r\n", "\n").strip() for name in fields}
        return cls(values, {name: [each for each in given.getlist(name) if each] for name in many})

    def status(self, refused: int) -> int:
        """Return the status of a form that comes back: what a field names wrongly is no missing page."""
        return 422 if refused == 404 else refused

    def refused(self, problem: Mapping[str, Any], places: Mapping[str, str] | None = None) -> Form:
        """Put what the API refused beside the field that it names; ``places`` are fields of other names."""
        named = str(problem.get("field") or "").removeprefix("body.").removeprefix("query.")
        named = named.removeprefix("restrictions.")
        place = (places or {}).get(named) or named.partition(".")[0]
        if place in self.values or place in self.lists:
            self.errors[place] = explained(problem)
        else:
            self.problem = problem
        return self


def explained(problem: Mapping[str, Any]) -> str:
    """Return what is wrong: the detail; after its title in the language of the page, if that is another."""
    title, detail = said(problem["title"]), str(problem.get("detail") or "")
    if not detail:
        return title
    return detail if title == problem["title"] else f"{title}: {detail}"


def several(text: str) -> list[str]:
    """Return what stands in a field that takes several: apart by commas or lines."""
    return [each.strip() for each in text.replace("\n", ",").split(",") if each.strip()]
