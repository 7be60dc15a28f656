"""Packages that only some visits need. They are not among the files of every start, nor in the snapshot."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import js

from ui.kit.http import get_bytes

#: Where the page's own modules and catalogues are.
HOME = Path(__file__).parents[2]


async def import_on_demand(package: str, files: Iterable[str]) -> Any:
    """Fetch a package, and return it.

    Args:
        package: Its name. The built page has it in an archive, whose address is in its start files.
        files: The addresses of its files in the source tree. From the second folder on, they are the paths from HOME.

    Raises:
        OSError: A file cannot be fetched.
    """
    start_files = js.document.getElementById("start-files")
    if start_files:
        archive = await get_bytes(json.loads(start_files.textContent)[package])
        import zipfile  # the page of the source tree would import it at each start

        zipfile.ZipFile(io.BytesIO(archive)).extractall(HOME)
    else:
        for address in files:
            target = HOME / address.partition("/")[2]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(await get_bytes(address))
    return importlib.import_module(package)
