"""One quiet step of the set-up: `python tools/setup/step.py "What it does" command arguments...`

A step that works prints one line. One that fails prints the command's output, and then a line with what to do. It runs
on the system's Python, before the virtual environment exists: standard library only.
"""

from __future__ import annotations

import subprocess
import sys

#: npm 10 prints this when it cannot fetch anything, and exits with 0.
NPM_GAVE_UP = "npm error Exit handler never called!"

#: The words of pip, npm and apt-get for a registry that they cannot reach.
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
    """Run the command, silent unless it fails; return its exit code, or 1 if that would hide a failure."""
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
