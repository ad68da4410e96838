"""Finds the application that a host serves, and lists its routes with what they require: no server runs.

The module of the host is imported, so its code runs. Guards that it makes meanwhile need neither a replica
nor a node. An adapter is loaded only for the framework that the application is made with.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from retinue.guard.adapter import ANY, Adapter, Route
from retinue.guard.core import standing_in
from retinue.guard.rules import PUBLIC, Rules

#: What an application is called in its module, if nothing else is said.
NAMES = ("app", "application")
#: So many layers of middleware are looked through.
_DEPTH = 32
_KINDS = {
    "fastapi.applications.FastAPI": "fastapi",
    "starlette.applications.Starlette": "starlette",
    "flask.app.Flask": "flask",
    "django.core.handlers.wsgi.WSGIHandler": "django",
    "django.core.handlers.asgi.ASGIHandler": "django",
    "retinue.guard.asgi.Protect": "protect",
    "retinue.guard.wsgi.Protect": "protect",
}


class DiscoveryError(Exception):
    """There is no application whose routes can be listed; the message says what was found instead."""


@dataclass(frozen=True)
class Host:
    """An application: the framework that it is made with, and its routes."""

    framework: str
    routes: list[Route]


def find(target: str, *, folder: Path, is_factory: bool = False) -> Host:
    """Return the application that ``MODULE:NAME``, ``MODULE`` or a module of Django settings names.

    ``folder`` is where modules are looked for first; ``is_factory`` says that the name is a function that
    makes the application. What the module prints goes to standard error. Raises :class:`DiscoveryError`.
    """
    from retinue.guard.testing import FakeDecider

    name, _, attribute = target.partition(":")
    if not name or name.startswith("."):
        raise DiscoveryError(f"{target!r}: name a module and its application, such as main:app")
    with _looking_in(folder), standing_in(FakeDecider()), redirect_stdout(sys.stderr):
        module = _imported(name)
        if not attribute and hasattr(module, "ROOT_URLCONF"):
            os.environ["DJANGO_SETTINGS_MODULE"] = name
            return Host("django", _tried(name, _django))
        app = _attribute(module, attribute)
        if is_factory:
            app = _tried(target, app)
        kind, app = kind_of(app)
        return Host(kind, _tried(target, lambda: routes_of(app)))


def kind_of(app: Any) -> tuple[str, Any]:
    """Return the framework of an application, and the application inside its middleware.

    Raises :class:`DiscoveryError` for one of no framework that there is an adapter for.
    """
    outside = app
    for _ in range(_DEPTH):
        for each in type(app).__mro__:
            kind = _KINDS.get(f"{each.__module__}.{each.__qualname__}")
            if kind is not None:
                return kind, app
        inside = getattr(app, "app", None)
        if inside is None or inside is app:
            break
        app = inside
    raise DiscoveryError(
        f"{type(outside).__module__}.{type(outside).__qualname__}: no application of FastAPI, Starlette, "
        "Flask or Django, and none in asgi.Protect or wsgi.Protect"
    )


def routes_of(app: Any) -> list[Route]:
    """Return the routes of an application with what they require. Raises as :func:`kind_of`."""
    kind, app = kind_of(app)
    if kind == "protect":
        return list(_protected(app.rules, app.app))
    if kind == "django":
        return _django()
    adapter: Any = import_module(f"retinue.guard.{kind}")
    guard = _guard_of(adapter, kind, app) or _reading(adapter.Guard)
    found: list[Route] = guard.routes(app)
    return found


def _guard_of(adapter: Any, kind: str, app: Any) -> Any:
    installed = adapter.installed if kind == "flask" else import_module("retinue.guard.starlette").installed
    return installed(app)


def _reading(guard: Callable[[], Adapter]) -> Any:
    """Return a guard that reads what routes would require if one stood before them."""
    from retinue.guard.testing import FakeDecider

    with standing_in(FakeDecider()):
        made = guard()
    made.is_standing = False
    return made


def _protected(rules: Rules, inside: Any) -> Iterator[Route]:
    """Yield the routes of an application behind ``Protect``; its rules, where the routes cannot be listed."""
    try:
        listed = routes_of(inside)
    except DiscoveryError:
        for rule in rules.public:
            yield Route(tuple(sorted(rule.methods)) or ANY, rule.pattern, (PUBLIC,))
        for rule in rules.protected:
            yield Route(tuple(sorted(rule.methods)) or ANY, rule.pattern, (rule.required,))
        return
    outside = _reading(Adapter)
    outside.rules, outside.is_standing = rules, True
    for each in listed:
        # A guard inside decides too: who passes both gets in, so the outer rule has to exist as well.
        for route in outside.stated(each.methods, each.template, lambda _: ()):
            inner = each.required if each.is_guarded else ()
            if route.required is None or inner is None:
                yield replace(route, required=None)
                continue
            needed = tuple(one for one in (*route.required, *inner) if not one.is_public)
            yield replace(route, required=needed or (PUBLIC,))


def _django() -> list[Route]:
    """Return the routes of the Django project that the settings name."""
    import_module("django").setup()
    adapter: Any = import_module("retinue.guard.django")
    guard = adapter.guard()
    if adapter.is_installed():
        return list(guard.routes())
    listed = [replace(each, is_guarded=False) for each in guard.routes()]
    # The views are loaded now: without the middleware those of Django REST framework may decide themselves.
    if "rest_framework" in sys.modules:
        return list(import_module("retinue.guard.drf").routes(guard))
    return listed


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise DiscoveryError(f"no module {name}") from None
        raise DiscoveryError(f"{name}: it needs {error.name}, which is not installed here") from None
    except (Exception, SystemExit) as error:
        raise DiscoveryError(f"{name}: its import failed: {type(error).__name__}: {error}") from error


def _attribute(module: ModuleType, path: str) -> Any:
    if not path:
        found = [name for name in NAMES if hasattr(module, name)]
        if not found:
            raise DiscoveryError(f"{module.__name__}: neither {' nor '.join(NAMES)}: name it after a colon")
        return getattr(module, found[0])
    value: Any = module
    for each in path.split("."):
        try:
            value = getattr(value, each)
        except AttributeError:
            raise DiscoveryError(f"{module.__name__} has no {path}") from None
    return value


def _tried(name: str, act: Callable[[], Any]) -> Any:
    """Run code of the host; what it raises is told, not shown as an error of this program."""
    try:
        return act()
    except DiscoveryError:
        raise
    except (Exception, SystemExit) as error:
        raise DiscoveryError(f"{name}: {type(error).__name__}: {error}") from error


@contextmanager
def _looking_in(folder: Path) -> Iterator[None]:
    place = str(folder.resolve())
    sys.path.insert(0, place)
    try:
        yield
    finally:
        if place in sys.path:
            sys.path.remove(place)
