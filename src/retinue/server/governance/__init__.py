"""Findings about accounts and credentials, and access reviews."""
