"""Seven steps to try a service account out, and which events and denials show that each was taken.

The home page of the console and the demo's terminal tick by these.
"""

from __future__ import annotations

#: The steps in their order, and what is to be done.
STEPS = {
    "account": "create an account",
    "key": "issue a key for it",
    "call": "call the API with the key",
    "line": "find the call in the request log",
    "missing": "take a permission away, and see the 403 name it",
    "rotate": "rotate a key with overlap",
    "revoke": "revoke a key, and see the 401",
}
#: Events of the audit log.
CREATED, ISSUED, ROTATED, REVOKED = "account.created", "key.issued", "key.rotated", "key.revoked"
TAKEN_AWAY = ("grant.deleted", "role.removed")
#: Reasons of the request log.
MISSING, ENDED = "permission_missing", "credential_revoked"
