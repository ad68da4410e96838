"""Headers of every answer, and the refusal of forms that another site sends.

The policy allows nothing but our own files: no inline script, no inline style, no other origin.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
#: One year; subdomains belong to somebody else.
TRANSPORT_POLICY = "max-age=31536000"
PAGE_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    # Not ``no-referrer``: browsers would then send ``Origin: null`` with our own forms.
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
#: What programs call: their answers are no pages, and no browser keeps a session there.
PROGRAM_PATHS = ("/v1/", "/healthz", "/readyz")
#: Pages whose forms lead to the identity provider: browsers hold the policy against the redirect too.
LEAVING_PATHS = ("/login/", "/confirm/", "/me/security/")
ASSET_PATH = "/static/"
#: What everybody may read, signed in or not, and also while the database is away.
PUBLIC_PATH = "/docs/"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_OWN = frozenset({"same-origin", "none"})

Answer = Callable[[HttpRequest], HttpResponse]


def is_page(path: str) -> bool:
    """Tell whether ``path`` is a page that has a session: no file, not for all, not for programs."""
    return not path.startswith((*PROGRAM_PATHS, ASSET_PATH, PUBLIC_PATH))


class SecurityHeaders:
    """Django middleware: puts the headers on every answer, refusals and error pages included."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, with headers. Whoever sees a page later (a cache, a shared machine) finds nothing kept."""
        answer = self._answer(request)
        headers = answer.headers
        headers["X-Content-Type-Options"] = "nosniff"
        if is_page(request.path):
            headers["Cache-Control"] = "no-store"
        else:
            headers.setdefault("Cache-Control", "no-store")
        if not request.path.startswith(PROGRAM_PATHS):
            for name, value in PAGE_HEADERS.items():
                headers[name] = value
            known = settings.INSTALLATION.provider
            if known is not None and request.path in LEAVING_PATHS:
                headers["Content-Security-Policy"] = CONTENT_POLICY.replace(
                    "form-action 'self'", f"form-action 'self' {known.origin}"
                )
            if is_plain(request):
                # Browsers heed it from a secure origin alone, and complain about it from another.
                del headers["Cross-Origin-Opener-Policy"]
        # Behind a proxy that ends TLS the request itself looks plain; secure cookies say what browsers see.
        if request.is_secure() or settings.SESSION_COOKIE_SECURE:
            headers["Strict-Transport-Security"] = TRANSPORT_POLICY
        return answer


def is_plain(request: HttpRequest) -> bool:
    """Tell whether a page crosses a network in plain text, as the operator has allowed explicitly."""
    given = request.headers.get("Host", "")
    host = given.rpartition(":")[0] or given
    return not settings.SESSION_COOKIE_SECURE and host not in ("127.0.0.1", "localhost", "[::1]")


class SameOriginForms:
    """Django middleware: refuses a change that a browser says comes from elsewhere, beside the CSRF token.

    ``same-site`` is elsewhere too: another name under the same domain is another owner. Programs send no
    ``Sec-Fetch-Site`` and need none; their paths have no session.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, or 403 for a change from another site."""
        origin = request.headers.get("Sec-Fetch-Site", "none")
        if request.method not in _SAFE_METHODS and is_page(request.path) and origin not in _OWN:
            return render(request, "403.html", status=403)
        return self._answer(request)
