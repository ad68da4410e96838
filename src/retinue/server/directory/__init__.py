"""Who there is: organizations, and their principals (users and service accounts)."""
