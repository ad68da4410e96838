"""The console in German: whole, chosen by the browser or the person, and right in the words of each preset."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from babel.messages.catalog import Message

from retinue.server.policies.terminology import PACKS
from tests.console import catalogue
from tests.console.browser import Browser
from tests.console.people import Person

_PLACES = re.compile(r"%\(\w+\)[sd]|%%")
_TAGS = re.compile(r"</?[a-z]+>")
#: Read by people, and the same in each language: names, and what a program reads.
_SAME = {"Retinue", "· Retinue", "true", "false", "CSV", "JSON"}
_NOT_READ = re.compile(
    r"\{% block shape %\}.*?\{% endblock %\}|\{% blocktranslate\b.*?endblocktranslate %\}", re.S
)
_CODE = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.S)
_READ = ("title", "aria-label", "alt")
#: Each page of the console's menu, and a word of it in German.
PAGES = {
    "": "Überblick",
    "accounts": "Dienstkonten",
    "accounts/new": "Dienstkonto anlegen",
    "credentials": "Zugänge",
    "access/roles": "Rollen",
    "access/roles/new": "Rolle anlegen",
    "access/groups": "Gruppen",
    "access/teams": "Teams",
    "access/policies": "Zugriffsrichtlinien",
    "access/permissions": "Berechtigungen",
    "access/explain": "Warum darf es das?",
    "findings": "Befunde",
    "reviews": "Zugriffsprüfungen",
    "requests": "Anfrageprotokoll",
    "audit": "Audit-Protokoll",
    "policies": "Richtlinien",
    "settings/users": "Benutzer",
    "settings/nodes": "Knoten",
    "credentials/identify": "Token zuordnen",
}


def _texts() -> list[Message]:
    return [message for message in catalogue.kept() if message.id]


def _asked(message: Message) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def test_catalogue_is_that_of_the_marked_texts() -> None:
    """
    ``make translations`` has nothing to add, nothing to drop, and the compiled file is that of the text.
    """
    assert catalogue.as_po(catalogue.renewed()) == catalogue.GERMAN.read_bytes()
    assert catalogue.as_mo(catalogue.kept()) == catalogue.GERMAN.with_suffix(".mo").read_bytes()


def test_each_text_has_its_german() -> None:
    """
    No text is missing, in any of its plural forms, none is a guess, and none is left from before.
    """
    assert len(_texts()) > 1000
    assert [] == [message.id for message in _texts() if not all(catalogue.said(message))]
    assert [] == [message.id for message in _texts() if message.fuzzy]
    assert [] == [message.id for message in _texts() if len(_asked(message)) != len(catalogue.said(message))]
    assert {} == catalogue.kept().obsolete


def test_german_has_the_same_places_and_tags() -> None:
    """
    What is put into a text, and its marks, are the same in German: nothing is lost, nothing fails.
    """
    for message in _texts():
        for asked, said in zip(_asked(message), catalogue.said(message), strict=True):
            assert sorted(_PLACES.findall(asked)) == sorted(_PLACES.findall(said)), asked
            assert sorted(_TAGS.findall(asked)) == sorted(_TAGS.findall(said)), asked
            assert (asked[0] == " ", asked[-1] == " ") == (said[0] == " ", said[-1] == " "), asked


class _Reader(HTMLParser):
    """Collects what a person reads of a template."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("code", "kbd", "pre", "script", "style"):
            self._within.append(tag)
        self.found += [value or "" for name, value in attrs if name in _READ]

    def handle_endtag(self, tag: str) -> None:
        if self._within[-1:] == [tag]:
            self._within.pop()

    def handle_data(self, data: str) -> None:
        if not self._within:
            self.found.append(data)


def _unmarked(template: str) -> set[str]:
    reader = _Reader()
    reader.feed(_CODE.sub(" \0 ", _NOT_READ.sub(" \0 ", template)))
    reader.close()
    parts = (part.strip() for text in reader.found for part in text.split("\0"))
    return {part for part in parts if re.search(r"[A-Za-z]{2}", part)} - _SAME


def test_a_template_without_marks_is_noticed() -> None:
    """
    The check of templates sees a text, and a title, that is not marked.
    """
    assert {"Save it", "Close"} == _unmarked('<p title="Close">{% if a %}Save it{% endif %}</p>')


def test_templates_have_no_unmarked_text() -> None:
    """
    Nobody reads English on a German page because a text of a template was not marked.
    """
    found = {
        path.relative_to(catalogue.CONSOLE).as_posix(): _unmarked(path.read_text())
        for path in catalogue.CONSOLE.rglob("*.html")
    }
    assert len(found) > 100
    assert {} == {name: texts for name, texts in found.items() if texts}


def test_words_of_every_pack_are_in_the_catalogue() -> None:
    """
    An organization that has other words has them in German too; of acts only the act is shown.
    """
    known = {message.id for message in _texts()}
    acts = {"issue", "rotate", "revoke", "delete", "disable", "enable"}
    words = {
        word
        for pack in PACKS.values()
        for name, both in pack.items()
        for word in both[: 1 if name in acts else 2]
    }
    assert set() == words - known


def test_an_act_stands_as_each_language_wants_it() -> None:
    """
    English puts the act first, with a capital; German puts it last, without one. Alone it has a capital.
    """
    from django.utils import translation

    from retinue.server.console.words import Words

    words = Words("precisely")
    with translation.override("en"):
        assert ("Generate", "Generate", "Service users") == tuple(
            words[name] for name in ("Issue", "Issue_beside", "Service_accounts")
        )
    with translation.override("de"):
        assert ("Erzeugen", "erzeugen", "Dienstbenutzer") == tuple(
            words[name] for name in ("Issue", "Issue_beside", "Service_accounts")
        )


def _opened(browser: Browser, path: str, language: str) -> str:
    page = browser.get(path, **{"accept-language": language})
    assert page.status_code == 200, (path, page.status_code)
    return " ".join(page.content.decode().split())


@pytest.mark.one_database
def test_pages_are_german_for_a_german_browser(signed_in: Browser, person: Person) -> None:
    """
    Each page of the menu says that it is German, and is; a browser that asks for nothing gets English.
    """
    for place, word in PAGES.items():
        path = f"/o/{person.principal.organization.handle}/{place}"
        german = _opened(signed_in, path, "de-AT,de;q=0.9,en;q=0.5")
        assert '<html lang="de" dir="ltr"' in german, path
        assert word in german, path
        assert "Zum Inhalt springen" in german, path
        assert '<html lang="en" dir="ltr"' in signed_in.text(path), path


@pytest.mark.one_database
def test_the_answer_says_that_it_depends_on_the_language(browser: Browser) -> None:
    """
    No cache gives the page of one language to a browser that asks for another.
    """
    page = browser.get("/login/", **{"accept-language": "de"})

    assert "Accept-Language" in page["Vary"]
    assert "de" == page["Content-Language"]
    assert "Geben Sie" not in page.content.decode()
    assert "Anmelden" in page.content.decode()


@pytest.mark.one_database
def test_what_a_person_chose_wins(signed_in: Browser) -> None:
    """
    The choice in the menu holds in this browser whatever it asks for, until the browser's own is chosen again.
    """
    answer = signed_in.fill("/me/security/", "/language/", language="de", next="/me/sessions/")
    assert (303, "/me/sessions/") == (answer.status_code, answer["Location"])
    page = _opened(signed_in, "/me/security/", "en")
    assert '<html lang="de"' in page
    assert 'value="de" lang="de" aria-pressed="true">Deutsch' in page
    assert 'value="browser" aria-pressed="false">Wie der Browser' in page

    signed_in.fill("/me/security/", "/language/", language="browser", next="/")
    assert '<html lang="en"' in _opened(signed_in, "/me/security/", "en")
    page = _opened(signed_in, "/me/security/", "de")
    assert '<html lang="de"' in page
    assert 'value="browser" aria-pressed="true">' in page


@pytest.mark.one_database
def test_the_choice_leads_nowhere_else(signed_in: Browser) -> None:
    """
    A language that we do not have is not kept, another site is not gone to, and a foreign form is refused.
    """
    answer = signed_in.fill("/me/security/", "/language/", language="xx", next="https://evil.example/")

    assert (303, "/") == (answer.status_code, answer["Location"])
    assert "retinue-language" not in answer.cookies
    assert 403 == signed_in.post("/language/", {"language": "de"}).status_code
    assert 405 == signed_in.get("/language/").status_code


def test_numbers_and_instants_are_german() -> None:
    """
    Numbers, days and how long ago something was have the form of the language.
    """
    from datetime import UTC, datetime, timedelta

    from django.utils import timezone, translation

    from retinue.server.console.templatetags import console

    at = datetime(2026, 3, 10, 14, 0, tzinfo=UTC)
    with translation.override("de"):
        assert ("12.345", "10. März 2026") == (console.count(12345), console.day(at))
        assert "vor 1 Tag" == console.ago(timezone.now() - timedelta(days=1, hours=1))
        assert "in 5 Tagen" == console.until(timezone.now() + timedelta(days=5, hours=1))
    with translation.override("en"):
        assert ("12,345", "10 Mar 2026") == (console.count(12345), console.day(at))
