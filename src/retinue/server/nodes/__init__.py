"""Nodes: their registry, the feed that they follow, and how far each has got."""
