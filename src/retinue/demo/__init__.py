"""``retinue demo``: a whole Retinue with a story to look at, in a temporary folder that goes with it.

It uses what everybody uses: ``retinue init``, ``retinue serve``, the operations of the API, the guard in a
small application, and, for the days before today, the call with which nodes ship their request log.
"""
