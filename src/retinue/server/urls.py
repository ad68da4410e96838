"""Every address of the control plane."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path

from retinue.server.api import device, leaks_github, metrics, oauth, routes, tiles

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", routes.healthz),
    path("readyz", routes.readyz),
    path("metrics", metrics.metrics),
    path("v1/oauth/device", device.begin),
    path("v1/oauth/token", oauth.token),
    path("v1/leaks/github", leaks_github.report),
    path("v1/audit-log/<str:log>/checkpoint", tiles.checkpoint),
    path("v1/audit-log/<str:log>/tile/<path:rest>", tiles.tile),
    path("v1/", routes.API.urls),
    re_path(r"^v1(?:/(?P<rest>.*))?$", routes.unknown),
    path("", include("retinue.server.console.urls")),
]
