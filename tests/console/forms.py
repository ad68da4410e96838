"""The forms of a page, as a browser without scripts sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from django.urls import Resolver404, resolve

#: What alone makes htmx send something: without scripts nothing happens then.
_SENDING = ("hx-post", "hx-put", "hx-patch", "hx-delete")


@dataclass
class _Found:
    given: dict[str, str]
    fields: set[str] = field(default_factory=set)
    #: Ways to send it: buttons within it, or elsewhere by its id.
    buttons: int = 0


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[_Found] = []
        self.by_script: list[str] = []
        self._open: _Found | None = None
        self._elsewhere: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = _Found(given)
            self.forms.append(self._open)
        if tag != "form" and any(name in given for name in _SENDING):
            self.by_script.append(self.get_starttag_text() or tag)
        if tag in ("input", "select", "textarea") and self._open is not None and "form" not in given:
            self._open.fields.add(given.get("name", ""))
        if tag == "button" and given.get("type", "submit") == "submit":
            if "form" in given:
                self._elsewhere.append(given["form"])
            elif self._open is not None:
                self._open.buttons += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None

    def buttons_of(self, form: _Found) -> int:
        """Return how many buttons send a form."""
        return form.buttons + self._elsewhere.count(form.given.get("id", "-"))


def without_scripts(path: str, text: str) -> tuple[set[str], list[str]]:
    """Return where the forms of a page are sent by POST, and what of it would do nothing without scripts.

    A form has a button that sends it, the token against forgery, an address that there is, and htmx, where it
    sends it instead, sends it to the same one. What is switched off has no such button, and needs none.
    """
    reader = _Reader()
    reader.feed(text)
    sent, wrong = set(), list(reader.by_script)
    for form in reader.forms:
        to = urlsplit(urljoin(path, form.given.get("action", ""))).path
        if form.given.get("method", "").lower() != "post":
            wrong += [f"{to}: sent by htmx alone" for name in _SENDING if name in form.given]
            continue
        sent.add(to)
        if form.given.get("hx-post", to).partition("?")[0] != to:
            wrong.append(f"{to}: htmx sends it to {form.given['hx-post']}")
        if "csrfmiddlewaretoken" not in form.fields:
            wrong.append(f"{to}: no token")
        if not reader.buttons_of(form) and 'aria-disabled="true"' not in text:
            wrong.append(f"{to}: no button")
        try:
            resolve(to)
        except Resolver404:
            wrong.append(f"{to}: no such address")
    return sent, wrong
