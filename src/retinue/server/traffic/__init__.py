"""What happened at the nodes: the request log, and when each credential was last used."""
