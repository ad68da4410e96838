"""Builds the API from the table of operations: routes and guards for each line, and nothing else."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI

from retinue import __version__
from retinue.server import schema

# Importing a module of nouns puts its operations into the table.
from retinue.server.api import (  # noqa: F401
    access_policies,
    account_states,
    accounts,
    assignments,
    audit,
    audit_log,
    bulk_accounts,
    bulk_grants,
    bulk_key_changes,
    bulk_keys,
    bulk_owners,
    changing_grants,
    compromise,
    configuration,
    converting,
    credentials,
    decisions,
    epochs,
    errors,
    feed,
    findings,
    grants,
    groups,
    importing,
    ingest_tokens,
    keys,
    leaks,
    mails,
    me,
    my_tokens,
    naming,
    nodes,
    organizations,
    permissions,
    personal_tokens,
    policy,
    presentation,
    principals,
    probes,
    public,
    receipts,
    requests,
    reviews,
    roles,
    saved_views,
    tallies,
    teams,
    users,
    webhooks,
)
from retinue.server.api.answers import json_answer, problem_answer
from retinue.server.api.operations import OPERATIONS, Operation
from retinue.server.ledger import queries as ledger
from retinue.server.nodes.epochs import told as recovering


def build() -> NinjaAPI:
    """Return the API with a route for each operation."""
    api = NinjaAPI(
        title="Retinue", version=__version__, openapi_url=None, docs_url=None, urls_namespace="api"
    )
    errors.install(api)
    for each in OPERATIONS:
        api.default_router.add_api_operation(
            each.path,
            [each.method],
            _view(each),
            auth=each.authenticate,
            operation_id=each.name,
            summary=each.summary,
        )
    return api


def _view(operation: Operation) -> Callable[..., HttpResponse]:
    def view(request: HttpRequest, **arguments: str) -> HttpResponse:
        return operation.run(request, arguments)

    # ninja reads the parameters of a path from the signature.
    named = [inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=HttpRequest)]
    named += [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=str)
        for name in operation.parameters
    ]
    view.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    view.__name__ = operation.name
    return view


API = build()


def healthz(request: HttpRequest) -> HttpResponse:
    """Tell that the process answers."""
    return json_answer({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """Tell whether the database answers and has the schema of this version.

    Ready also while the history is in doubt, which the answer says: a balancer must let the nodes through.
    """
    try:
        ready = schema.is_current() and ledger.head()[0] > 0
    except DatabaseError:
        ready = False
    if not ready:
        return problem_answer(
            request, "database_unavailable", detail="the database is not reachable or not migrated"
        )
    told = recovering()
    return json_answer({"status": "ok"} if told is None else told)


@csrf_exempt
def unknown(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Answer an address that no operation has."""
    return problem_answer(request, "not_found", detail="no operation has this address")
