"""Who is told: people by mail, and webhooks of an organization; both from the ledger, after the commit."""
