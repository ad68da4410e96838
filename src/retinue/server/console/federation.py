"""The way to the identity provider and back, by Authlib: discovery, PKCE, state, nonce, the ID token.

What Authlib leaves to its user is decided here: the algorithms, the issuer and the audience that must be
named, no redirects, and how long and how much is read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client import MissingTokenError
from authlib.integrations.django_client import DjangoOAuth2App, OAuth
from authlib.integrations.requests_client import OAuth2Session
from django.conf import settings
from django.http import HttpRequest
from joserfc.errors import JoseError

from retinue.server.directory.rules import email_address
from retinue.server.egress_session import Way
from retinue.server.errors import Refused
from retinue.server.provider import Provider

DONE_PATH = "/login/sso/done/"
#: Signatures that need a key of the provider: neither none nor one that our own secret makes.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY_SECONDS = 60
TIMEOUT_SECONDS = 10
ANSWER_MAX = 1 << 20
#: After so long the provider is asked anew where its pages are and what its keys are.
KNOWN_SECONDS = 600
#: For so long after it did not answer nobody asks again.
AWAY_SECONDS = 10
PLACE_SECONDS = 2
_HINT = "retinue"


class Failed(Exception):
    """There is nobody to sign in; ``cause`` says why, in a word of ``single_sign_on.TEXTS``."""

    def __init__(self, cause: str, email: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.email = email


@dataclass(frozen=True, slots=True)
class Person:
    """Who the provider says it was."""

    subject: str
    #: The address, folded; empty if it gave none that is verified.
    email: str
    #: Whether it asked for more than a password.
    is_proven: bool
    #: When it asked, in seconds since 1970; 0 if it did not say.
    at: float


def provider() -> Provider:
    """Return the provider. Raises :class:`Failed` where there is none."""
    found: Provider | None = settings.INSTALLATION.provider
    if found is None:
        raise Failed("none")
    return found


def begin(request: HttpRequest, *, anew: bool, **kept: Any) -> str:
    """Begin a sign-in at the provider; returns the address of its page.

    ``anew`` has it ask its person again. ``kept`` is what :func:`finish` gives back.
    """
    with _place():
        app = _app(provider())
    asked: dict[str, Any] = {"max_age": "0", "prompt": "login"} if anew else {}
    back = request.build_absolute_uri(DONE_PATH)
    try:
        begun = app.create_authorization_url(back, **asked)
    except _TROUBLE as error:
        raise Failed("down") from error
    app.save_authorize_data(request, redirect_uri=back, at=time.time(), **kept, **begun)
    return str(begun["url"])


def finish(request: HttpRequest) -> tuple[Person, dict[str, Any]]:
    """Return who came back from the provider, and what was kept. Raises :class:`Failed`."""
    with _place():
        return _finished(request, provider())


def _finished(request: HttpRequest, known: Provider) -> tuple[Person, dict[str, Any]]:
    app, given = _app(known), request.GET
    kept = app.framework.get_state_data(request.session, given.get("state") or "-")
    if kept is None:
        raise Failed("state")
    if given.get("iss", known.issuer) != known.issuer:
        raise Failed("invalid")
    if "error" in given:
        app.framework.clear_state_data(request.session, given["state"])
        raise Failed("denied")
    must = {
        "iss": {"essential": True, "value": known.issuer},
        "aud": {"essential": True, "value": known.client_id},
    }
    try:
        token = app.authorize_access_token(request, claims_options=must, leeway=LEEWAY_SECONDS)
    except requests.RequestException as error:
        raise Failed("down") from error
    except _TROUBLE as error:
        raise Failed("invalid") from error
    claims = token.get("userinfo")
    if not isinstance(claims, Mapping):
        raise Failed("invalid")
    return _person(app, token, dict(claims)), dict(kept)


def _person(app: DjangoOAuth2App, token: dict[str, Any], claims: dict[str, Any]) -> Person:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise Failed("invalid")
    if "email" not in claims and app.server_metadata.get("userinfo_endpoint"):
        claims = claims | _more(app, token, subject)
    amr, at = claims.get("amr"), claims.get("auth_time")
    return Person(
        subject,
        _email(claims),
        isinstance(amr, list) and "mfa" in amr,
        float(at) if isinstance(at, (int, float)) else 0.0,
    )


def _more(app: DjangoOAuth2App, token: dict[str, Any], subject: str) -> dict[str, Any]:
    """Return the address from where the provider keeps it; of this very person, or of nobody."""
    try:
        told = dict(app.userinfo(token=token))
    except _TROUBLE:
        return {}  # who is connected needs none
    if told.get("sub") != subject:
        raise Failed("invalid")
    return {name: told[name] for name in ("email", "email_verified") if name in told}


def _email(claims: Mapping[str, Any]) -> str:
    email = claims.get("email")
    if not isinstance(email, str) or claims.get("email_verified") is not True:
        return ""
    try:
        return email_address(email)
    except Refused:
        return ""


def leaves_at(url: str) -> bool:
    """Tell whether the sign-in page's policy lets a form lead to this page of the provider."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" == provider().origin


def end_page() -> str:
    """Return the page where one signs out of the provider, or nothing if it has none or does not answer."""
    try:
        with _place():
            return str(_app(provider()).load_server_metadata().get("end_session_endpoint") or "")
    except (*_TROUBLE, Failed):
        return ""


_TROUBLE = (
    AuthlibBaseError,
    JoseError,
    MissingTokenError,
    requests.RequestException,
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
)
#: So many threads of this process wait for the provider at a time: strangers decide how many would like to.
_places = threading.BoundedSemaphore(4)
_lock = threading.Lock()
_failed: dict[Provider, float] = {}
_known: dict[Provider, tuple[float, DjangoOAuth2App]] = {}


@contextmanager
def _place() -> Iterator[None]:
    """Hold one of the places for those who wait for the provider. Raises :class:`Failed` (``down``)."""
    if not _places.acquire(timeout=PLACE_SECONDS):
        raise Failed("down")
    try:
        yield
    finally:
        _places.release()


def _app(known: Provider) -> DjangoOAuth2App:
    """Return Authlib's client of the provider, whose description was read within ten minutes.

    Raises :class:`Failed` (``down``, or ``invalid`` where it calls itself by another name).
    """
    with _lock:
        since, app = _known.get(known, (0.0, None))
    if app is not None and time.monotonic() - since < KNOWN_SECONDS:
        return app
    if time.monotonic() - _failed.get(known, -AWAY_SECONDS) < AWAY_SECONDS:
        raise Failed("down")
    app = _made(known)
    try:
        told = app.load_server_metadata()
        offered = told.get("id_token_signing_alg_values_supported") or ["RS256"]
        told["id_token_signing_alg_values_supported"] = [each for each in ALGORITHMS if each in offered]
        is_named = told["issuer"] == known.issuer
    except _TROUBLE as error:
        _failed[known] = time.monotonic()
        raise Failed("down") from error
    if not is_named or not told["id_token_signing_alg_values_supported"]:
        raise Failed("invalid")
    with _lock:
        _known.clear()
        _known[known] = (time.monotonic(), app)
    return app


class _Session(OAuth2Session):  # type: ignore[misc]
    """Calls the provider by the guarded way, on connections that end with the call."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._way = Way(provider().origin, settings.INSTALLATION.egress_allow)
        for prefix in ("https://", "http://"):
            self.mount(prefix, self._way)
        self.headers["Connection"] = "close"

    def request(self, *given: Any, **more: Any) -> Any:
        """Make one call."""
        with self._way.timed():
            return super().request(*given, **more)


class _App(DjangoOAuth2App):  # type: ignore[misc]
    client_cls = _Session


def _made(known: Provider) -> DjangoOAuth2App:
    made: DjangoOAuth2App = OAuth().register(
        _HINT,
        client_cls=_App,
        client_id=known.client_id,
        client_secret=known.secret(),
        server_metadata_url=f"{known.issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid email profile",
            "code_challenge_method": "S256",
            "default_timeout": TIMEOUT_SECONDS,
            # Its token is used at once or never.
            "leeway": 0,
            # A redirect could lead into our own network.
            "max_redirects": 0,
            # No proxy or password that the environment happens to name.
            "trust_env": False,
            "verify": True if known.ca_file is None else str(known.ca_file),
            "stream": True,
            "hooks": {"response": [_read]},
        },
    )
    return made


def _read(answer: requests.Response, *_: Any, **__: Any) -> None:
    """Read an answer, as far as one of a provider can be long."""
    content = answer.raw.read(ANSWER_MAX + 1, decode_content=True)
    if len(content) > ANSWER_MAX:
        raise requests.RequestException("too long")
    answer._content, answer._content_consumed = content, True  # type: ignore[attr-defined]
