"""Parameters, answers and errors as OAuth 2.0 wants them (RFC 6749, appendix B and 5.2)."""

from __future__ import annotations

from urllib.parse import parse_qsl

from django.http import HttpRequest, HttpResponse

from retinue.server.api import limits
from retinue.server.api.answers import json_answer, problem_answer

_FORM = "application/x-www-form-urlencoded"
_MOST_BYTES = 4_096
_MOST_FIELDS = 16


class OAuthError(Exception):
    """An error of RFC 6749, 5.2."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(code)
        self.code = code
        self.description = description


def only_post(request: HttpRequest) -> HttpResponse | None:
    """Answer any other method than POST; ``None`` for that."""
    if request.method == "POST":
        return None
    made = problem_answer(request, "method_not_allowed_here")
    made["Allow"] = "POST"
    return made


def read(request: HttpRequest) -> dict[str, str]:
    """Read the parameters. None may stand twice, and none in the address: that is logged everywhere."""
    if request.META.get("QUERY_STRING"):
        raise OAuthError("invalid_request", "parameters belong in the body")
    if request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != _FORM:
        raise OAuthError("invalid_request", f"send {_FORM}")
    if int(request.META.get("CONTENT_LENGTH") or 0) > _MOST_BYTES:
        raise OAuthError("invalid_request", f"at most {_MOST_BYTES} bytes")
    body = limits.read_body(request, limits.FORMS, request.META.get("REMOTE_ADDR") or "")
    try:
        sent = body.decode("ascii")
        pairs = parse_qsl(sent, keep_blank_values=True, strict_parsing=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise OAuthError("invalid_request", f"no {_FORM}") from None
    if len({name for name, _ in pairs}) != len(pairs):
        raise OAuthError("invalid_request", "a parameter stands twice")
    return dict(pairs)


def refused(error: OAuthError) -> HttpResponse:
    """Answer an error."""
    status = 401 if error.code == "invalid_client" else 400
    made = answer({"error": error.code, "error_description": error.description}, status)
    if status == 401:
        made["WWW-Authenticate"] = 'Basic realm="retinue"'
    return made


def answer(body: dict[str, object], status: int = 200) -> HttpResponse:
    """Answer what no cache may keep."""
    made = json_answer(body, status)
    made["Pragma"] = "no-cache"
    return made
