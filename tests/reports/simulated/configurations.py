"""The two ways in which this project runs a connection."""

from __future__ import annotations

import json
from pathlib import Path

from kizuna.options import Options

CONFIG = Path(__file__).parents[3] / "static" / "config.json"
#: What a user of the library gets: the article's five retries, then a person must press "Try now".
LIBRARY = Options()
#: What the chat runs with.
CHAT = Options.from_mapping(json.loads(CONFIG.read_text(encoding="utf-8"))["connection"])
BY_NAME = {"library": LIBRARY, "chat": CHAT}
