"""The policy of an organization: what its rules allow."""
