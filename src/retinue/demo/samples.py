"""What the sample organizations are made of: people, permissions, and an account for each situation."""

from __future__ import annotations

from dataclasses import dataclass

#: Handle of the organization that the demo's administrator runs, and of the other one.
ACME, ORBIT = "acme", "orbit"
ADMIN = "admin@acme.example"
ADA, BRUNO, CAROL = "ada@acme.example", "bruno@acme.example", "carol@acme.example"
#: Who is in Acme beside its administrator. Carol will have left.
PEOPLE = ((ADA, "Ada Okafor"), (BRUNO, "Bruno Keller"), (CAROL, "Carol Lindqvist"))
#: What the protected application can do, beside what `retinue init` declares.
PERMISSIONS = (
    ("contact:read", "Read contacts", "normal"),
    ("contact:write", "Write contacts", "normal"),
    ("contact:export", "Export contacts", "sensitive"),
    ("deal:read", "Read deals", "normal"),
    ("deal:write", "Write deals", "normal"),
    ("deal:delete", "Delete deals", "sensitive"),
    ("invoice:read", "Read invoices", "normal"),
    ("invoice:write", "Write invoices", "normal"),
    ("invoice:approve", "Approve invoices", "sensitive"),
    ("campaign:read", "Read campaigns", "normal"),
    ("campaign:send", "Send campaigns", "sensitive"),
    ("note:read", "Read notes", "normal"),
    ("note:write", "Write notes", "normal"),
    ("note:delete", "Delete notes", "normal"),
    ("measurement:write", "Write measurements", "normal"),
)
REPORTS = ("report:read GET /reports",)
EXPORTS = (*REPORTS, "report:export GET /exports/reports.csv")
ENTRIES = (*REPORTS, "report:write POST /entries")
CRM = (
    "contact:read GET /contacts",
    "contact:write POST /contacts",
    "deal:read GET /deals",
    "deal:write POST /deals",
    "invoice:read GET /invoices",
)
#: What the account with too much holds; it uses what stands in CRM.
CRM_HOLDS = tuple(name for name, _, _ in PERMISSIONS if name != "measurement:write")


@dataclass(frozen=True, slots=True)
class Sample:
    """A service account: what it is for, its keys, what it calls, and how often it did so on a day.

    ``calls`` are "permission METHOD /path". ``quiet_days`` is for how long it has not called any more.
    """

    name: str
    purpose: str
    owner: str
    calls: tuple[str, ...] = REPORTS
    keys: tuple[str, ...] = ("main",)
    a_day: int = 4
    quiet_days: int = 0
    holds: tuple[str, ...] = ()
    is_documented: bool = True

    @property
    def permissions(self) -> list[str]:
        """What it is granted."""
        return sorted(self.holds or {each.partition(" ")[0] for each in self.calls})


_REGIONS = ("eu-west", "us-east", "ap-south")
SAMPLES = (
    Sample("demo-etl", "Loads the sales reports every night", ADMIN, a_day=6),
    Sample("billing-export", "Hands the month's figures to the bank", ADA, EXPORTS, a_day=8),
    Sample("warehouse-sync", "Copies reports into the warehouse", BRUNO, a_day=12),
    Sample("legacy-crawler", "Reads reports for the old search", BRUNO, keys=("leaked", "main"), a_day=5),
    Sample("nightly-backup", "Keeps a copy of every report", CAROL, EXPORTS, a_day=2),
    Sample("crm-bridge", "Connects the CRM with the invoices", ADA, CRM, a_day=20, holds=CRM_HOLDS),
    Sample("mobile-gateway", "Serves the mobile app", BRUNO, keys=_REGIONS, a_day=14),
    Sample("old-importer", "Imported the reports of 2024", ADA, ENTRIES, a_day=2, is_documented=False),
    Sample("archive-reader", "Reads what is archived", ADA, keys=("main", "spare"), quiet_days=24),
    Sample("trial-bot", "A trial of the spring", BRUNO, a_day=1, quiet_days=20),
    Sample("partner-feed", "Gives partners their reports", BRUNO, EXPORTS, keys=("north", "south"), a_day=7),
    Sample("finance-dashboard", "Shows the figures of the day", ADA, keys=_REGIONS, a_day=10),
    Sample("report-writer", "Books what the branches report", BRUNO, ENTRIES, keys=_REGIONS, a_day=9),
    Sample("invoice-printer", "Prints invoices", ADA, ("invoice:read GET /invoices",), _REGIONS, 5),
    Sample("contact-cleaner", "Mends addresses", BRUNO, CRM[:2], ("main", "second"), 4),
    Sample("deal-scorer", "Scores open deals", ADA, CRM[2:3], _REGIONS, 6),
    Sample("quality-probe", "Calls the API each few minutes", BRUNO, keys=_REGIONS, a_day=16),
    Sample("search-index", "Indexes reports", ADA, keys=_REGIONS, a_day=6),
    Sample("tax-archive", "Keeps what the tax office asks for", BRUNO, EXPORTS, _REGIONS, 2),
    Sample(
        "chat-notifier", "Tells the sales channel", BRUNO, keys=("main", "test"), a_day=3, is_documented=False
    ),
)
#: The accounts of the other organization; its preset is another one.
ORBIT_SAMPLES = (
    Sample("Health Scores", "Computes customer health", "", keys=_REGIONS, a_day=4),
    Sample("Usage Import", "Brings usage data in", "", ENTRIES, keys=_REGIONS, a_day=5),
    Sample("Partner Portal", "Shows partners their customers", "", keys=("main", "second"), a_day=2),
)
