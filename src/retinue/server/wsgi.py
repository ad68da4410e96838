"""The WSGI application that granian serves. Loaded in the worker process."""

from __future__ import annotations

import os

import django
from django.core.handlers.wsgi import WSGIHandler

from retinue.supervisor import die_with_parent

# A worker whose parent was killed would keep the port and the database; it ends with its parent.
die_with_parent()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "retinue.server.settings")
django.setup()


def _application() -> WSGIHandler:
    from retinue.server.nodes import wake
    from retinue.server.traffic import recorder

    wake.start()
    recorder.start()
    return WSGIHandler()


application = _application()
