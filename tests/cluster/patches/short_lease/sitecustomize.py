"""For the control plane of a short run: the native policy gives leases of CLUSTER_LEASE_SECONDS."""

import os

from retinue.server.policies.policy import NATIVE

object.__setattr__(NATIVE, "freshness_lease_seconds", int(os.environ["CLUSTER_LEASE_SECONDS"]))
