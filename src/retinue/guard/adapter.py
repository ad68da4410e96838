"""What the adapters of web frameworks share: how rules are stated, and what a route requires."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from retinue.guard.admission import Door
from retinue.guard.core import Guard, GuardError
from retinue.guard.deciding import Decider
from retinue.guard.rules import PUBLIC, Requirement, RuleError, Rules, mark, requirement

View = TypeVar("View", bound=Callable[..., Any])
#: Returns what was decided about the request that a view is called with.
Decided = Callable[[tuple[Any, ...]], tuple[Requirement, ...]]
#: A route that does not say which methods it has, and those that are tried then.
ANY = ("*",)
_USUAL = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Route:
    """A route of a host application, for ``retinue routes check``.

    ``required`` is ``None`` if nothing says what it requires: it is refused then.
    """

    methods: tuple[str, ...]
    template: str
    required: tuple[Requirement, ...] | None
    #: Whether a guard stands before it: without one whatever is stated has no effect.
    is_guarded: bool = True

    @property
    def is_covered(self) -> bool:
        """Whether a rule says who may use it."""
        return self.required is not None

    @property
    def access(self) -> str:
        """Who gets in: nobody (``uncovered``), anybody (``unguarded``, ``public``, ``optional``), or whom.

        ``token`` is anybody with a genuine token, ``permission`` those who have the permissions.
        """
        if not self.is_guarded:
            return "unguarded"
        if self.required is None:
            return "uncovered"
        if any(each.is_public for each in self.required):
            return "public"
        if self.permissions:
            return "permission"
        return "optional" if all(each.is_optional for each in self.required) else "token"

    @property
    def permissions(self) -> tuple[str, ...]:
        """The permissions that it requires."""
        return tuple(dict.fromkeys(name for each in self.required or () for name in each.need))


class Adapter(Guard):
    """A guard that knows the routes of a framework: each is refused unless something says what it requires.

    That is a decorator on the view, or a rule for its path. ``rules`` and ``public`` are patterns as in
    :class:`retinue.guard.rules.Rules`; ``trusted_proxies`` are networks whose ``X-Forwarded-For`` counts, or
    ``unix``. ``guard`` is a guard that decides for this one: a fake in tests.
    """

    def __init__(
        self,
        organization: str | None = None,
        *,
        replica: str | Path | None = None,
        node_url: str | None = None,
        decider: Decider | None = None,
        guard: Guard | None = None,
        rules: Mapping[str, str | Iterable[str]] | None = None,
        public: Iterable[str] = (),
        trusted_proxies: Iterable[str] = (),
    ) -> None:
        """Raises as :class:`retinue.guard.Guard`, and ``RuleError`` for a rule that is none."""
        if guard is not None:
            organization, decider = organization or guard.organization, guard.decider
        super().__init__(organization, replica=replica, node_url=node_url, decider=decider)
        self.door = Door(self, trusted_proxies=trusted_proxies)
        self.rules = Rules(rules or {}, public)
        #: Whether its routes are decided about; not so for one that only reads what they would require.
        self.is_standing = True

    def requires(self, *permissions: str, resource: str | None = None) -> Callable[[View], View]:
        """Return a decorator: the view requires all of these permissions.

        ``resource`` names the part of the path that holds the id of the resource which they are needed on.
        Raises ``RuleError`` for a name that is none.
        """
        return protecting(requirement(permissions, resource), self.decided)

    def optional(self) -> Callable[[View], View]:
        """Return a decorator: the view may be used without a token; one that is presented has to be good."""
        return protecting(Requirement(is_optional=True), self.decided)

    def decided(self, args: tuple[Any, ...]) -> tuple[Requirement, ...]:
        """Return what was decided about the request that a view is called with."""
        raise NotImplementedError

    def public(self, view: View) -> View:
        """Decorate a view that needs no token."""
        mark(view, PUBLIC)
        return view

    def required(
        self, marked: tuple[Requirement, ...], method: str, path: str
    ) -> tuple[Requirement, ...] | None:
        """Return what a request requires, by the marks on its view or a rule for its path."""
        if self.rules.is_public(method, path):
            return (PUBLIC,)
        if marked:
            return marked
        rule = self.rules.find(method, path)
        return None if rule is None else (rule.required,)

    def stated(
        self, methods: tuple[str, ...], template: str, marked: Callable[[str], tuple[Requirement, ...]]
    ) -> Iterator[Route]:
        """Yield a route with what it requires; in parts where its methods require different things."""
        groups: dict[tuple[Requirement, ...] | None, list[str]] = {}
        for method in _USUAL if methods == ANY else methods:
            groups.setdefault(self.required(marked(method), method, template), []).append(method)
        for required, names in groups.items():
            if len(groups) == 1:
                yield Route(methods, template, required, self.is_standing)
            elif methods != ANY or required is not None:
                yield Route(tuple(names), template, required, self.is_standing)


def protecting(required: Requirement, decided: Decided) -> Callable[[View], View]:
    """Return a decorator that notes on a view what it requires.

    It runs only in a request about which that was decided: where the application is not protected it is an
    error (:class:`GuardError`), never a pass.
    """

    def confirm(args: tuple[Any, ...]) -> None:
        if required not in decided(args):
            raise GuardError("this application is not protected: install the guard in it")

    def decorate(view: Any) -> Any:
        if isinstance(view, type):
            raise RuleError(f"{view.__name__}: decorate the functions of a class, not the class")
        if inspect.iscoroutinefunction(view):

            @functools.wraps(view)
            async def protected(*args: Any, **named: Any) -> Any:
                confirm(args)
                return await view(*args, **named)

        else:

            @functools.wraps(view)
            def protected(*args: Any, **named: Any) -> Any:
                confirm(args)
                return view(*args, **named)

        mark(protected, required)
        return protected

    return decorate
