"""Keys of another system, as an import states them."""

from __future__ import annotations

import hashlib
from typing import Any

LEGACY = "AKIA-legacy-token-0123456789"


def imported(account: str, **more: Any) -> dict[str, Any]:
    """The body that imports one key of an account by the SHA-256 of its token."""
    digest = hashlib.sha256(f"{LEGACY}{account}".encode()).hexdigest()
    scheme = {"name": "legacy", "algorithm": "sha256", "prefix": "AKIA"}
    return {"scheme": scheme, "keys": [{"account": account, "name": "old", "digest": digest}], **more}
