"""The tree of commands. Each noun is a module that is loaded when it is called for."""

from __future__ import annotations

from cyclopts import App, Group, Parameter

from retinue import __version__

_START = Group("Start", sort_key=1)
_ACCESS = Group("Accounts, keys and access", sort_key=2)
_OBSERVE = Group("Observe and verify", sort_key=3)
_OPERATE = Group("Operate", sort_key=4)

#: Name, where it is, what it is for, under which heading.
_COMMANDS = (
    ("init", "init:app", "Create an installation on this host.", _START),
    ("serve", "serve:app", "Start control plane and node.", _START),
    ("demo", "demo:app", "Try it: sample organizations in a temporary folder, until Ctrl-C.", _START),
    ("login", "login:app", "Sign in and keep the sign-in.", _START),
    ("logout", "login:logout_app", "Sign out: revoke the session, forget the token.", _START),
    ("profile", "profile:app", "Servers and sign-ins side by side.", _START),
    ("open", "profile:open_app", "Open the console.", _START),
    ("completion", "completion:app", "Let a shell complete commands and names.", _START),
    ("doctor", "doctor:app", "What is wrong here, why, and what mends it.", _START),
    ("version", "about:version_app", "Print the version.", _START),
    ("whoami", "about:whoami_app", "Who I am, where, with which permissions, until when.", _START),
    ("help", "topics:app", "Explain: environment, exit-codes, formats, auth, config.", _START),
    ("account", "account:app", "Service accounts (alias: sa).", _ACCESS),
    ("name", "name:app", "Names that accounts could have.", _ACCESS),
    ("key", "key:app", "API keys of service accounts.", _ACCESS),
    ("user", "user:app", "People.", _ACCESS),
    ("org", "organization:app", "Organizations of the installation, and one's own.", _OPERATE),
    ("policy", "policy:app", "The policy of the organization.", _ACCESS),
    ("grant", "grant:app", "Permissions and roles that somebody was given.", _ACCESS),
    ("role", "role:app", "Roles: named sets of permissions.", _ACCESS),
    ("group", "group:app", "Groups of people and accounts.", _ACCESS),
    ("team", "team:app", "Teams, and the resources that belong to them.", _ACCESS),
    ("access-policy", "access_policy:app", "Access policies: rules that become grants.", _ACCESS),
    ("permission", "permission:app", "The permissions that can be given.", _ACCESS),
    ("routes", "routes:app", "Which routes of a host application no rule covers.", _OBSERVE),
    ("explain", "explain:app", "May somebody, and why?", _OBSERVE),
    ("who-can", "explain:who_app", "Who may?", _OBSERVE),
    ("simulate", "simulate:app", "What would change if?", _OBSERVE),
    ("pat", "pat:app", "Personal access tokens.", _ACCESS),
    ("ingest", "ingest:app", "Ingest tokens of the organization.", _ACCESS),
    ("credential", "credential:app", "Keys and tokens in one list.", _ACCESS),
    ("identify", "credential:identify_app", "Which credential is this token?", _OBSERVE),
    ("compromise", "credential:compromise_app", "Something has leaked: end everything in a scope.", _ACCESS),
    ("verify", "verify:app", "Is this token allowed, now?", _OBSERVE),
    ("log", "log:app", "The request log: decisions of the nodes.", _OBSERVE),
    ("stats", "stats:app", "How often what was decided.", _OBSERVE),
    ("audit", "audit:app", "The audit log: who changed what.", _OBSERVE),
    ("finding", "finding:app", "What is not as it should be.", _OBSERVE),
    ("review", "review:app", "Access reviews.", _OBSERVE),
    ("scanner", "scanner:app", "Find tokens in files; rules for other scanners.", _OBSERVE),
    ("view", "view:app", "Saved views of lists.", _OBSERVE),
    ("webhook", "webhook:app", "Where events are sent, signed.", _OBSERVE),
    ("mail", "webhook:mail_app", "Who was told by mail.", _OBSERVE),
    ("backup", "backup:app", "A copy of the database while it runs.", _OPERATE),
    ("run", "run:app", "Run a program with a short-lived token.", _OPERATE),
    ("export", "configuration:export_app", "The organization's access as YAML.", _OPERATE),
    ("import", "importing:app", "Take over service accounts from another system's list.", _OPERATE),
    ("plan", "configuration:plan_app", "What a document would change.", _OPERATE),
    ("diff", "configuration:diff_app", "How the organization differs from a document.", _OPERATE),
    ("apply", "configuration:apply_app", "Make the organization what a document says.", _OPERATE),
    ("node", "node:app", "The nodes that decide.", _OPERATE),
    ("gateway", "gateway:app", "Gateways: their configuration, and probes of one.", _OPERATE),
    ("epoch", "epoch:app", "Histories: what a restore lost, and what was done about it.", _OPERATE),
)

app = App(
    name="retinue",
    help="The service-account layer for any API: accounts, keys, permissions, and a revoke that holds.",
    help_format="plaintext",
    version=__version__,
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
    suppress_keyboard_interrupt=False,
    # An empty list or "false" as a default tells nobody anything; what matters is said in words.
    default_parameter=Parameter(show_default=False),
)
for _name, _place, _help, _group in _COMMANDS:
    app.command(f"retinue.cli.{_place}", name=_name, help=_help, group=_group)
app.command("retinue.cli.account:alias", name="sa", show=False)
