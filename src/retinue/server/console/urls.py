"""Addresses of the console. Nothing of the sign-in library is reachable but two."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from retinue.server.console import assets, confirmation, invitation, pages, problems, setup, signin

urlpatterns = [
    path("", pages.home, name="console_home"),
    path("login/", signin.Signin.as_view(), name="account_login"),
    path("login", RedirectView.as_view(url="/login/", query_string=True)),
    path("logout/", signin.Signout.as_view(), name="account_logout"),
    path("confirm/", confirmation.confirm, name="console_confirm"),
    path("confirm", RedirectView.as_view(url="/confirm/", query_string=True)),
    path("setup/", setup.setup, name="console_setup"),
    path("setup", RedirectView.as_view(url="/setup/")),
    path("invitation/", invitation.choose, name="console_invitation"),
    path("invitation", RedirectView.as_view(url="/invitation/")),
    path("docs/errors", problems.listed, name="console_problems"),
    path("docs/errors/", RedirectView.as_view(url="/docs/errors")),
    path("docs/errors/<str:code>", problems.one, name="console_problem"),
    path("static/<str:name>", assets.serve, name="console_asset"),
]
