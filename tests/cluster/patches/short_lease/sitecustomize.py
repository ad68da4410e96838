"""For the control plane of a short run: the native policy gives leases of CLUSTER_LEASE_SECONDS."""

import os
import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).parents[1] / "clock" / "sitecustomize.py"))

from retinue.server.policies.policy import NATIVE  # noqa: E402  (its modules see the clock of this machine)

object.__setattr__(NATIVE, "freshness_lease_seconds", int(os.environ["CLUSTER_LEASE_SECONDS"]))
