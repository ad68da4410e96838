"""Retinue: the service-account layer for any API.

Importing this package loads nothing else: the light part (token, decision, replica, verifier) stays
usable in a host's own process without Django, a web framework or a network client.
"""

__version__ = "0.1.0"
