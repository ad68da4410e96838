"""The one server and node of these tests, and organizations with presets that the operator makes on it."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.conformance.callers import ACCOUNTS, JSON, SCHEMES, Caller
from tests.support.installation import ADMIN_EMAIL, PROGRAM, Answer, Installation, http
from tests.support.processes import end_with_parent, wait_for

#: What the host's API can do.
PERMISSIONS = """\
permissions:
  - name: dataset:read
  - name: dataset:create
  - name: dataset:update
  - name: dataset:delete
  - name: report:read
  - name: report:create
  - name: report:export
  - name: company:read
  - name: company:update
  - name: company.email:update
  - name: proxy:update
  - name: alert:read
  - name: usage:write
"""

#: What the forms of each system ask for beside the name.
FIELDS: dict[str, JSON] = {
    "native": {"purpose": "a test"},
    "whaly": {"roles": ["viewer"]},
    "qualytics": {"roles": ["member"]},
    "precisely": {},
    "planhat": {},
    "wavefront": {},
}


@dataclass(frozen=True)
class Server:
    """A running installation. ``tokens`` is the process that gives people their first token."""

    running: Installation
    tokens: subprocess.Popen[str]

    @property
    def operator(self) -> Caller:
        """The operator of the installation."""
        return Caller(self.running.url, self.running.token(), node_url=self.running.node_url)

    @property
    def person(self) -> tuple[str, str]:
        """E-mail address and password of a person who may sign in: the first administrator."""
        return ADMIN_EMAIL, self.running.password_file.read_text().strip()

    def caller(self, token: str, scheme: str = "Bearer") -> Caller:
        """Return the calls of whoever holds a token."""
        return Caller(self.running.url, token, scheme, self.running.node_url)

    def first_token(self, user: JSON) -> str:
        """Return a token of a person, which the node learns of within seconds."""
        assert self.tokens.stdin is not None
        assert self.tokens.stdout is not None
        self.tokens.stdin.write(f"{user['id']}\n")
        self.tokens.stdin.flush()
        return self.tokens.stdout.readline().strip()

    def ask(self, **question: Any) -> Any:
        """Ask the node for a decision."""
        answer = http("POST", f"{self.running.node_url}/v1/verify", body=question)
        assert answer.status == 200, answer.body.decode()
        return answer.json()

    def present(self, permission: str, authorization: str = "", **headers: str) -> Answer:
        """Ask as a gateway does for a request that it has got, with the caller's headers."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named |= {"Authorization": authorization} if authorization else {}
        return http("GET", f"{self.running.node_url}/v1/forward-auth/{permission}", headers=named)

    def organization(self, preset: str, *, by_person: bool = False) -> Organization:
        """Make an organization with a preset. A service account administers it, or a person."""
        handle = f"{preset}-{secrets.token_hex(4)}"
        body: JSON = {"handle": handle, "name": handle.title(), "preset": preset}
        first = {"email": f"olga@{handle}.example", "name": "Olga Owner"}
        body |= {"administrator": first} if by_person else {"service_account": "Founder"}
        made = self.operator.post("/v1/organizations", **body)
        token = self.first_token(made["administrator"]) if by_person else made["token"]
        caller = self.caller(token, SCHEMES.get(preset, "Bearer"))
        return Organization(self, made["organization"]["id"], handle, caller, FIELDS[preset])


@dataclass(frozen=True)
class Organization:
    """An organization of one test, with the calls of its first administrator."""

    server: Server
    id: str
    handle: str
    admin: Caller
    #: What an account is created with unless a test says otherwise.
    fields: JSON = field(default_factory=dict)

    def set_policy(self, **keys: Any) -> JSON:
        """State keys of the policy, with ``__`` for the dot."""
        stated = {name.replace("__", "."): value for name, value in keys.items()}
        changed: JSON = self.admin.patch("/v1/policy", set=stated, accept=1_000)
        return changed

    def account(self, name: str = "etl", **given: Any) -> JSON:
        """Create a service account."""
        made: JSON = self.admin.post(ACCOUNTS, **(self.fields | {"name": name} | given))
        return made

    def key(self, account: JSON, **given: Any) -> JSON:
        """Issue a key of an account: the answer with its token."""
        body = {"name": f"k-{secrets.token_hex(3)}"} | given
        made: JSON = self.admin.post(f"{ACCOUNTS}/{account['id']}/keys", **body)
        return made

    def person(self, name: str, *roles: str) -> tuple[JSON, Caller]:
        """Make a user with a first token."""
        email = f"{name.lower()}@{self.handle}.example"
        user = self.admin.post("/v1/users", email=email, name=name, roles=list(roles), justification="needed")
        return user, self.server.caller(self.server.first_token(user))

    def grant(self, subject: JSON, permission: str, **given: Any) -> JSON:
        """Grant a permission to an account, a user, a group or a role."""
        body = {"subject": subject["id"], "permission": permission, "justification": "needed"} | given
        made: JSON = self.admin.post("/v1/grants", **body)
        return made

    def take_back(self, grant: JSON) -> None:
        """Take a grant away."""
        self.admin.delete(f"/v1/grants/{grant['id']}")

    def group(self, name: str) -> JSON:
        """Return the group of this name."""
        groups = self.admin.get("/v1/groups", limit=100)["items"]
        [found] = [each for each in groups if each["name"] == name]
        return dict(found)

    def team(self, name: str, *resources: str) -> JSON:
        """Make a team with resources."""
        made: JSON = self.admin.post("/v1/teams", name=name)
        self.admin.post(f"/v1/teams/{made['id']}/resources", add=list(resources))
        return made

    def join(self, group: JSON, *members: JSON) -> None:
        """Put principals into a group or team."""
        self.admin.post(f"{_address(group)}/add", members=[each["id"] for each in members], justification="x")

    def leave(self, group: JSON, *members: JSON) -> None:
        """Take principals out of a group or team."""
        self.admin.post(f"{_address(group)}/remove", members=[each["id"] for each in members])

    def members(self, group: JSON) -> set[str]:
        """Return the ids of the members of a group or team."""
        items = self.admin.get(f"{_address(group)}/members", limit=200)["items"]
        return {each["principal"]["id"] for each in items}

    def caller(self, account: JSON) -> Caller:
        """Return the calls of an account, with a new key."""
        return self.server.caller(self.key(account)["token"], self.admin.scheme)

    def decide(self, token: str, *need: str, **asked: Any) -> str:
        """Return the node's answer: ``allowed``, or the reason of the denial."""
        decision = self.server.ask(token=token, need=list(need), **asked)
        return "allowed" if decision["allowed"] else str(decision["reason"])

    def awaited(self, token: str, *need: str) -> str:
        """Return ``allowed`` once the node answers so: who gives in the console is not told when nodes have it."""
        wait_for("the node allows it", lambda: self.decide(token, *need) == "allowed", every=0.05)
        return "allowed"

    def may(self, token: str, *names: str) -> set[str]:
        """Return those of ``names`` that the node allows."""
        return {name for name in names if self.decide(token, name) == "allowed"}

    def logged(self, account: JSON, least: int = 1, **query: object) -> list[JSON]:
        """Return the request log of an account, the newest first, once it has ``least`` entries."""
        path = f"{ACCOUNTS}/{account['id']}/requests"

        def look() -> list[JSON] | None:
            found: list[JSON] = self.admin.get(path, limit=200, **query)["items"]
            return found if len(found) >= least else None

        found = wait_for(f"{least} decisions are listed", look, seconds=120, every=0.1)
        assert found is not None
        return found

    def used(self, path: str) -> JSON:
        """Return a key, once a use of it is counted."""

        def look() -> JSON | None:
            found: JSON = self.admin.get(path)
            return found if found["use_count"] else None

        found = wait_for("the use is counted", look, seconds=120, every=0.2)
        assert found is not None
        return found

    def review(self, name: str = "review", **given: Any) -> tuple[str, dict[str, JSON]]:
        """Open an access review; return its address, and its items by the id of the account."""
        path = f"/v1/reviews/{self.admin.post('/v1/reviews', **({'name': name, 'template': 'full'} | given))['id']}"
        items = self.admin.get(f"{path}/items", limit=200)["items"]
        return path, {each["account"]["id"]: each for each in items}

    def decided(
        self, path: str, item: JSON, decision: str, note: str = "needed, and as it should be"
    ) -> None:
        """Decide about one account of a review."""
        self.admin.post(f"{path}/items/{item['id']}/decide", decision=decision, note=note)

    def cli(self, *arguments: str) -> Any:
        """Run the command line as the administrator, and return what it prints as JSON."""
        running = self.server.running
        file = running.home.parent / f"{self.handle}-token"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(self.admin.token)
        environment = running.environment | {"RETINUE_TOKEN_FILE": str(file)}
        done = subprocess.run(
            [PROGRAM, *arguments], env=environment, cwd=running.home.parent, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def events(self, **query: object) -> list[JSON]:
        """Return the audit log, the newest first."""
        found: list[JSON] = self.admin.get("/v1/audit-events", limit=200, **query)["items"]
        return found


def _address(group: JSON) -> str:
    return f"/v1/{group['kind']}s/{group['id']}"


def days_from_now(instant: str) -> float:
    """Return how far away an instant is, in days; negative for one that is past."""
    return (datetime.fromisoformat(instant) - datetime.now(UTC)).total_seconds() / 86_400


@contextmanager
def serve(home: Path) -> Iterator[Server]:
    """Make an installation whose host declares ``PERMISSIONS``, and serve it."""
    running = Installation(home)
    running.init()
    (home / "permissions.yaml").write_text(PERMISSIONS)
    try:
        running.start()
        with first_tokens(running) as tokens:
            yield Server(running, tokens)
    finally:
        running.stop()


@contextmanager
def first_tokens(running: Installation) -> Iterator[subprocess.Popen[str]]:
    """Start the process that gives people of an installation their first token."""
    command = [sys.executable, str(Path(__file__).with_name("first_token.py"))]
    process = subprocess.Popen(
        command, env=running.environment, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent(),
    )  # fmt: skip
    try:
        yield process
    finally:
        process.communicate(timeout=60)
