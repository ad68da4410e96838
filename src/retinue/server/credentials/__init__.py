"""API keys, personal access tokens and node credentials: digests with a life, never tokens."""
