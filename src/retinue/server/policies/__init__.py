"""The policy of an organization: what its rules allow. Every organization has the native policy for now."""
