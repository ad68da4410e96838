"""The introspection of Authlib (RFC 7662), as its documents say: Flask, SQLAlchemy, SQLite in WAL mode."""

from __future__ import annotations

import os
import secrets
import sys
import time
from pathlib import Path
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.integrations.sqla_oauth2 import OAuth2ClientMixin, OAuth2TokenMixin
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Column, Integer, String, event

FOLDER = Path(os.environ["PEER_FOLDER"])
application = Flask(__name__)
application.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{FOLDER / 'peer.db'}"
db = SQLAlchemy(application)


class Client(db.Model, OAuth2ClientMixin):  # type: ignore[misc, name-defined]
    """The resource server that asks."""

    id = Column(Integer, primary_key=True)


class Token(db.Model, OAuth2TokenMixin):  # type: ignore[misc, name-defined]
    """An access token."""

    id = Column(Integer, primary_key=True)
    name = Column(String(60))


class Introspection(IntrospectionEndpoint):
    """Answers whether a token is active, and whose it is."""

    def query_token(self, token_string: str, token_type_hint: str | None) -> Any:
        return Token.query.filter_by(access_token=token_string).first()

    def introspect_token(self, token: Any) -> dict[str, Any]:
        return {"active": True, "client_id": token.client_id, "username": token.name, "scope": token.scope,
                "exp": token.issued_at + token.expires_in}  # fmt: skip

    def check_permission(self, token: Any, client: Any, request: Any) -> bool:
        return True


server = AuthorizationServer(
    application,
    query_client=lambda ident: Client.query.filter_by(client_id=ident).first(),
    save_token=lambda token, request: None,
)
server.register_endpoint(Introspection)


@application.post("/introspect")
def introspect() -> Any:
    """Introspect a token."""
    return server.create_endpoint_response(Introspection.ENDPOINT_NAME)


def prepare(count: int) -> None:
    """Make the database with so many tokens, and write them."""
    with application.app_context():
        db.create_all()
        secret = secrets.token_urlsafe(30)
        client = Client(client_id="asker", client_secret=secret)
        client.set_client_metadata({"token_endpoint_auth_method": "client_secret_basic", "scope": "read"})
        db.session.add(client)
        tokens = [secrets.token_urlsafe(30) for _ in range(count)]
        now = int(time.time())
        db.session.add_all(
            Token(client_id="asker", token_type="Bearer", access_token=token, scope="read",  # noqa: S106
                  issued_at=now, expires_in=90 * 86400, name=f"account-{number}")
            for number, token in enumerate(tokens)
        )  # fmt: skip
        db.session.commit()
    (FOLDER / "asker").write_text(f"asker:{secret}")
    (FOLDER / "tokens").write_text("\n".join(tokens))


with application.app_context():

    @event.listens_for(db.engine, "connect")
    def _wal(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")


if __name__ == "__main__":
    prepare(int(sys.argv[1]))
