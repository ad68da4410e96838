"""What a node knows: compiled records, in one snapshot at a time.

The control plane compiles the present state of each changed object into a record; a node stores the
records and nothing else. It knows digests, never tokens, and permissions as bit masks over the catalogue.
"""
