"""The ledger: the one write door, and the one place where "what happened" is kept.

A transaction commits three things together or not at all: the rows, the audit events, and the list of
changed objects that nodes follow. The audit log and the node feed are two readers of the same ledger.
"""
