"""What can be done to credentials, in one place for the faces: see the modules that do it."""

from __future__ import annotations

from retinue.server.credentials.ending import (
    delete,
    delete_account,
    expire,
    restore,
    restore_account,
    restrict,
    revoke,
    revoke_for_node,
    suspend,
)
from retinue.server.credentials.issuing import (
    issue,
    issue_for_node,
    issue_ingest_token,
    issue_own_token,
    issue_personal_token,
    reissue_for_node,
    rename,
)
from retinue.server.credentials.overlap import extend, finish, retire_used, undo
from retinue.server.credentials.rotation import regenerate, reissue, rotate
from retinue.server.credentials.writing import Issued, peppers

__all__ = [
    "Issued",
    "delete",
    "delete_account",
    "expire",
    "extend",
    "finish",
    "issue",
    "issue_for_node",
    "issue_ingest_token",
    "issue_own_token",
    "issue_personal_token",
    "peppers",
    "regenerate",
    "reissue",
    "reissue_for_node",
    "rename",
    "restore",
    "restore_account",
    "restrict",
    "retire_used",
    "revoke",
    "revoke_for_node",
    "rotate",
    "suspend",
    "undo",
]
