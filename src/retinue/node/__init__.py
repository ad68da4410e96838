"""The node: answers verifications over HTTP from a local replica, and keeps that replica up to date.

It has no database credentials and knows digests, never tokens. One follower a host writes the replica;
one worker a core reads it.
"""
