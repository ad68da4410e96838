"""Other systems that check a stored credential, each in its recommended setting, for :mod:`bench.campaign`.

Their packages are locked with hashes in files beside this one, and live in environments of their own
(``.tools/peers``).
"""
