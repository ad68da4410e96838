"""What every sample host offers: the same paths, under the same rules."""

from __future__ import annotations

RULES = {
    "GET /reports": "report:read",
    "POST /reports": "report:write",
    "GET /reports/{report_id}": "report:read",
    "GET /broken": "report:read",
}
PUBLIC = ["/healthz"]
