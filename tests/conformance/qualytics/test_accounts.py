"""Qualytics: service accounts, their roles and teams."""

from __future__ import annotations

from tests.conformance.callers import ACCOUNTS
from tests.conformance.console import signs_in
from tests.conformance.server import Organization, Server

DATA = ("dataset:read", "dataset:create", "dataset:update", "dataset:delete")


def test_QU1_is_a_synthetic_user_managed_in_one_place(organization: Organization) -> None:
    """
    A service account is a principal beside the users: it has a handle like theirs, stands in the list of service
    accounts, and in no list of people; with its token it acts as itself.
    """
    account = organization.account("Pipeline Automation!")
    me = organization.caller(account).get("/v1/me")["principal"]
    people = organization.admin.get("/v1/users")["items"]

    assert ("pipeline_automation@service", "service_account") == (account["handle"], me["kind"])
    assert account["id"] == me["id"]
    assert [account["id"]] == [
        each["id"] for each in organization.admin.get(ACCOUNTS, search="pipeline")["items"]
    ]
    assert account["id"] not in [each["id"] for each in people]


def test_QU2_does_not_log_in_to_the_web_interface(organization: Organization, server: Server) -> None:
    """
    The sign-in page takes neither handle nor id with the token; it does take a person.
    """
    account = organization.account(roles=["admin"], justification="needed")
    token = organization.key(account)["token"]

    assert signs_in(server, *server.person)
    assert not signs_in(server, "etl@service.example", token)
    assert not signs_in(server, account["handle"], token)


def test_QU3_only_administrators_create_and_manage(organization: Organization) -> None:
    """
    Manager, Editor and Member neither list, create nor change service accounts or their tokens; Admin does.
    """
    target = organization.account("target")
    found = {}
    for role in ("admin", "manager", "editor", "member"):
        caller = organization.caller(organization.account(f"as {role}", roles=[role], justification="needed"))
        answers = [
            caller.call("GET", ACCOUNTS),
            caller.call("POST", ACCOUNTS, {"name": f"made by {role}", "roles": ["member"]}),
            caller.call("PATCH", f"{ACCOUNTS}/{target['id']}", {"purpose": "x"}),
            caller.call("POST", f"{ACCOUNTS}/{target['id']}/disable", {"confirm": "target@service"}),
            caller.call("GET", "/v1/keys"),
        ]
        found[role] = {answer.status for answer in answers}

    assert found.pop("admin") <= {200, 201, 202}
    assert {"manager": {403}, "editor": {403}, "member": {403}} == found


def test_QU4_has_a_life_of_its_own(organization: Organization) -> None:
    """
    The user who owns it loses the role, is disabled, is deleted: the account keeps its role, state and token.
    """
    owner = organization.admin.post(
        "/v1/users", email="olga@quality.example", name="Olga", roles=["manager"], justification="x"
    )
    account = organization.account(roles=["editor"], owners=[owner["id"]])
    token = organization.key(account)["token"]
    path = f"/v1/users/{owner['id']}"
    seen = []
    for act in ("PATCH", "POST", "DELETE"):
        if act == "PATCH":
            organization.admin.patch(path, roles=["member"])
        else:
            organization.admin.do(
                act, f"{path}/disable" if act == "POST" else path, {} if act == "POST" else None
            )
        now = organization.admin.get(f"{ACCOUNTS}/{account['id']}")
        seen.append((organization.may(token, *DATA), now["state"], now["roles"]))

    assert [({"dataset:read", "dataset:create", "dataset:update"}, "enabled", ["editor"])] * 3 == seen


def test_QU5_has_one_of_four_roles(organization: Organization) -> None:
    """
    Exactly one of Admin, Manager, Editor and Member, each with what it may do; none, two or another are refused.
    """
    may = {}
    for role in ("admin", "manager", "editor", "member"):
        account = organization.account(f"a {role}", roles=[role], justification="needed")
        may[role] = organization.may(organization.key(account)["token"], *DATA)
    wrong = [
        organization.admin.refused("POST", ACCOUNTS, {"name": "x", "roles": roles})
        for roles in ([], ["member", "editor"], ["emperor"])
    ]

    assert (set(DATA), set(DATA)) == (may["admin"], may["manager"])
    assert ({"dataset:read", "dataset:create", "dataset:update"}, {"dataset:read"}) == (
        may["editor"],
        may["member"],
    )
    assert ["body.roles", "body.roles", "body.roles.0"] == [field for _, _, field in wrong]


def test_QU6_teams_scope_its_access(organization: Organization) -> None:
    """
    A role reaches the resources of a team in that team only: an account outside does not, an account that joins
    does, for this team and no other.
    """
    finance, people = (
        organization.team(name, resource) for name, resource in (("Finance", "ledger"), ("People", "payroll"))
    )
    account = organization.account(roles=["editor"])
    token = organization.key(account)["token"]
    outside = [organization.decide(token, "dataset:read", resource=each) for each in ("ledger", "payroll")]
    organization.join(finance, account)

    assert ["resource_not_covered"] * 2 == outside
    assert "allowed" == organization.decide(token, "dataset:read", resource="ledger")
    assert "resource_not_covered" == organization.decide(token, "dataset:read", resource="payroll")
    assert "allowed" == organization.decide(token, "dataset:read", resource="in no team")
    assert people["id"] != finance["id"]


def test_QU11_an_administrator_creates_one_over_the_api(organization: Organization) -> None:
    """
    One call of an Admin creates it with its role; the call of anybody else is refused and creates nothing.
    """
    made = organization.admin.post(ACCOUNTS, name="Catalog sync", roles=["member"])
    member = organization.caller(made)
    refused = member.refused("POST", ACCOUNTS, {"name": "Another", "roles": ["member"]})

    assert ("Catalog sync", ["member"], "enabled") == (made["name"], made["roles"], made["state"])
    assert (403, "permission_missing") == refused[:2]
    assert [] == organization.admin.get(ACCOUNTS, search="Another")["items"]


def test_QU20_audit_trails_tell_the_automation_and_its_purpose(organization: Organization) -> None:
    """
    What a service account does stands in the audit log under its own id and name, with its key; and the account
    tells what it is for.
    """
    account = organization.account("Provisioning", roles=["admin"], purpose="creates accounts for new teams",
                                   justification="needed")  # fmt: skip
    key = organization.key(account)
    made = organization.server.caller(key["token"]).post(ACCOUNTS, name="made", roles=["member"])
    [event] = [each for each in organization.events(subject=made["id"]) if each["type"] == "account.created"]
    actor = organization.admin.get(f"{ACCOUNTS}/{event['actor']['id']}")

    assert (account["id"], "Provisioning", "service_account") == (
        event["actor"]["id"], event["actor"]["name"], event["actor"]["kind"],
    )  # fmt: skip
    assert key["key"]["id"] == event["credential_id"]
    assert "creates accounts for new teams" == actor["purpose"]


def test_QU23_every_integration_is_documented(organization: Organization) -> None:
    """
    Purpose, systems and documentation are kept and changed with a trace; who left them out is found.
    """
    account = organization.account(
        purpose="scans", systems=["snowflake"], documentation="https://wiki.example/q"
    )
    bare = organization.account("bare")
    organization.admin.patch(f"{ACCOUNTS}/{account['id']}", systems=["snowflake", "dbt"])
    [event] = [
        each for each in organization.events(subject=account["id"]) if each["type"] == "account.updated"
    ]
    found = [
        each["subject"]["id"] for each in organization.admin.get("/v1/findings", kind="undocumented")["items"]
    ]

    assert (["snowflake"], ["snowflake", "dbt"]) == (event["before"]["systems"], event["after"]["systems"])
    assert bare["id"] in found
    assert account["id"] not in found


def test_QU28_the_minimum_of_permissions_and_teams(organization: Organization) -> None:
    """
    A member reads and does nothing else, and of what belongs to teams only that of its own.
    """
    team = organization.team("Finance", "ledger")
    account = organization.account(roles=["member"])
    token = organization.key(account)["token"]
    organization.join(team, account)
    inside = organization.decide(token, "dataset:read", resource="ledger")
    organization.leave(team, account)

    assert {"dataset:read"} == organization.may(token, *DATA)
    assert ("allowed", "resource_not_covered") == (
        inside, organization.decide(token, "dataset:read", resource="ledger"),
    )  # fmt: skip


def test_QU30_an_elevated_role_needs_a_justification(organization: Organization) -> None:
    """
    The role Admin is handed out with a justification, which is kept and shown, and refused without one; a
    member's role needs none.
    """
    refused = organization.admin.refused("POST", ACCOUNTS, {"name": "Provisioning", "roles": ["admin"]})
    made = organization.account("Provisioning", roles=["admin"], justification="provisions teams, ticket 42")
    sources = organization.admin.get(f"{ACCOUNTS}/{made['id']}/permissions")["items"][0]["sources"]

    assert (422, "justification_required", "body.justification") == refused
    assert "provisions teams, ticket 42" == sources[0]["justification"]
    assert ["member"] == organization.account("plain", roles=["member"])["roles"]


def test_QU31_names_follow_a_pattern(organization: Organization) -> None:
    """
    The organization's pattern is asked of new names and of changed ones.
    """
    organization.set_policy(accounts__name_pattern="[a-z]+_[a-z]+_(prod|staging)")
    refused = organization.admin.refused("POST", ACCOUNTS, {"name": "my account", "roles": ["member"]})
    made = organization.account("airflow_loader_prod")

    assert (400, "body.name") == (refused[0], refused[2])
    assert 400 == organization.admin.refused("PATCH", f"{ACCOUNTS}/{made['id']}", {"name": "x"})[0]
    assert (
        "airflow_loader_staging"
        == organization.admin.patch(f"{ACCOUNTS}/{made['id']}", name="airflow_loader_staging")["name"]
    )
