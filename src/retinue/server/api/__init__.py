"""The HTTP API ``/v1``: a table of operations, each with the permission that it needs."""
