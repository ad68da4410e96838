"""Who may do what: the catalogue of permissions, roles, grants, and what they add up to."""
