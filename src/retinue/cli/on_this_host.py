"""What the operator of a host does without a token: the control plane's own program does it."""

from __future__ import annotations

import os
import subprocess
import sys

from retinue.cli import extras, settings


def reset_sign_in(email: str, *, everything: bool, reason: str | None) -> int:
    """Reset what a person signs in with, in the installation of ``RETINUE_HOME``. Returns the exit code."""
    extras.require_server()
    argv = [sys.executable, "-m", "retinue.server", "reset-sign-in", f"--email={email}"]
    argv += ["--everything"] if everything else []
    argv += [f"--reason={reason}"] if reason else []
    env = {**os.environ, "RETINUE_HOME": str(settings.home().absolute())}
    # Our own program, with flags that hold no secret.
    return subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, check=False).returncode
