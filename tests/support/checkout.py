"""A checkout of this repository as a stranger has it: what git tracks or would track, and nothing that the set-up
made."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.support.process import ROOT

_GIT = ("git", "-c", "user.name=Tests", "-c", "user.email=tests@localhost", "-c", "init.defaultBranch=main")


def bare_checkout(folder: Path) -> Path:
    """Copy the files into a new repository in ``folder``, with one commit, and return it."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout.decode().split("\0")
    for name in names:
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "All"]):
        subprocess.run([*_GIT, *arguments], cwd=folder, check=True)
    return folder
