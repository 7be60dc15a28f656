"""Run one step of the set-up quietly: `python tools/setup/step.py "What it does" command arguments...`

A step that works says one line. One that fails shows what the command said, and ends on one line that says what
to do. Runs on the system's Python, before the virtual environment exists: standard library only.
"""

from __future__ import annotations

import subprocess
import sys

#: npm 10 ends like this when it can fetch nothing, and exits with 0 as if all were well.
NPM_GAVE_UP = "npm error Exit handler never called!"

#: How pip, npm and apt-get say that they cannot reach a registry.
NETWORK_TROUBLE = (
    NPM_GAVE_UP,
    "CERTIFICATE_VERIFY_FAILED",
    "Connection refused",
    "ConnectTimeoutError",
    "ECONNREFUSED",
    "ECONNRESET",
    "ENETUNREACH",
    "ENOTFOUND",
    "ETIMEDOUT",
    "Failed to establish a new connection",
    "Name or service not known",
    "Network is unreachable",
    "ProxyError",
    "Read timed out",
    "Temporary failure",
)


def run(title: str, command: list[str]) -> int:
    """Run the command, silent unless it fails; return its exit code, or 1 where that would hide a failure."""
    print(f"{title} ...", flush=True)
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode == 0 and NPM_GAVE_UP not in done.stdout:
        return 0
    if any(sign in done.stdout for sign in NETWORK_TROUBLE):
        advice = (
            "no package registry can be reached: check network, proxy and certificates, then run make again"
        )
    else:
        print(done.stdout, file=sys.stderr)
        advice = "failed for the reason above; run make again to go on from here"
    print(f"make: {title}: {advice}", file=sys.stderr)
    return done.returncode or 1


if __name__ == "__main__":
    try:
        sys.exit(run(sys.argv[1], sys.argv[2:]))
    except KeyboardInterrupt:
        sys.exit(130)
