"""An organization's access as one document: exported, compared, and applied. Everything but secrets."""
