"""The built wheel of the library, as a user gets it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.process import ROOT


def build_wheel(folder: Path) -> Path:
    """Build the wheel into an empty folder, and return it."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built
