"""One plain invocation of every command that calls a server, for the tests that go through all of them."""

from __future__ import annotations

COMMANDS: dict[str, tuple[str, ...]] = {
    "whoami": ("whoami",),
    "account-list": ("account", "list"),
    "account-get": ("account", "get", "etl"),
    "account-create": ("account", "create", "etl", "--role", "auditor", "--owner", "admin@acme.example"),
    "account-edit": ("account", "edit", "etl", "--purpose", "More", "--add-role", "member"),
    "account-rename": ("account", "rename", "etl", "loader"),
    "account-enable": ("account", "enable", "etl"),
    "account-disable": ("account", "disable", "etl", "--yes"),
    "account-delete": ("account", "delete", "etl", "--yes"),
    "account-restore": ("account", "restore", "etl"),
    "key-list": ("key", "list", "etl"),
    "key-get": ("key", "get", "etl/k1"),
    "key-issue": ("key", "issue", "etl", "--name", "k1", "--out", "token"),
    "key-rename": ("key", "rename", "etl/k1", "k9"),
    "key-rotate": ("key", "rotate", "etl/k1", "--overlap", "24h", "--out", "token"),
    "key-regenerate": ("key", "regenerate", "etl/k1", "--yes", "--out", "token"),
    "key-restrict": ("key", "restrict", "etl/k1", "--network", "10.0.0.0/8", "--read-only"),
    "key-expire": ("key", "expire", "etl/k1", "--in", "30d"),
    "key-restore": ("key", "restore", "etl/k1"),
    "key-revoke": ("key", "revoke", "etl/k1", "--yes"),
    "key-delete": ("key", "delete", "etl/k1", "--yes"),
    "user-list": ("user", "list"),
    "user-get": ("user", "get", "admin@acme.example"),
    "user-create": ("user", "create", "new@acme.example", "--name", "New"),
    "grant-list": ("grant", "list", "etl"),
    "grant-add": ("grant", "add", "etl", "--permission", "report:read", "--justification", "export"),
    "grant-remove": ("grant", "remove", "etl", "--permission", "report:read", "--yes"),
    "log-list": ("log", "list", "--account", "etl"),
    "audit-list": ("audit", "list"),
    "finding-list": ("finding", "list"),
    "finding-resolve": ("finding", "resolve", "fnd_ownerless-x", "--until", "2026-04-01T00:00:00Z"),
    "review-list": ("review", "list"),
    "review-get": ("review", "get", "rev_1"),
    "review-create": ("review", "create", "Autumn", "--due-days", "7"),
    "review-decide": ("review", "decide", "rev_1", "keep", "--account", "etl", "--note", "needed"),
    "review-apply": ("review", "apply", "rev_1", "--yes"),
    "review-export": ("review", "export", "rev_1"),
    "node-list": ("node", "list"),
    "node-get": ("node", "get", "local"),
    "node-enrol": ("node", "enrol", "edge", "--out", "token"),
    "node-remove": ("node", "remove", "local", "--yes"),
    "pat-list": ("pat", "list"),
    "pat-revoke": ("pat", "revoke", "init", "--yes"),
    "verify": ("verify", "--file", "own-token"),
}
#: The last words of each path of words that the command tree has, for help and flags.
TREE: tuple[tuple[str, ...], ...] = tuple(
    sorted(
        {words[:2] if words[0] not in ("whoami", "verify") else words[:1] for words in COMMANDS.values()}
        | {("init",), ("serve",), ("version",), ("help",), ("log", "tail"), ("sa", "create"), ()}
    )
)
