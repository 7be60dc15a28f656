"""What a document tells its reader to do: the files to write and the commands to type, letter for letter."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_FENCE = re.compile(
    r"(?:^\*\*`(?P<name>[\w./-]+)`\*\*\n\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Instructions:
    """Files by name, and the lines of each block of commands."""

    files: dict[str, str]
    commands: list[list[str]]

    @classmethod
    def of(cls, text: str) -> Self:
        """Read a document: a file has its name in bold above its block, commands are blocks of ``sh``.

        Raises:
            ValueError: A block that is neither, which a reader could not follow.
        """
        files: dict[str, str] = {}
        commands: list[list[str]] = []
        for block in _FENCE.finditer(text):
            if block["name"]:
                files[block["name"]] = block["text"]
            elif block["language"] == "sh":
                commands.append(block["text"].splitlines())
            else:
                raise ValueError(f"a block of {block['language']} without a name:\n{block['text']}")
        return cls(files, commands)

    def replaced(self, changes: dict[str, str]) -> Self:
        """Return these instructions with other words.

        Raises:
            ValueError: A word that is nowhere.
        """
        files, commands = self.files, self.commands
        for old, new in changes.items():
            if not any(
                old in text for text in [*files.values(), *(line for block in commands for line in block)]
            ):
                raise ValueError(f"{old} is nowhere")
            files = {name: text.replace(old, new) for name, text in files.items()}
            commands = [[line.replace(old, new) for line in block] for block in commands]
        return type(self)(files, commands)

    def write(self, folder: Path) -> None:
        """Write the files."""
        for name, text in self.files.items():
            (folder / name).write_text(text, encoding="utf-8")

    @property
    def lines(self) -> dict[str, int]:
        """How many lines of each file are not empty."""
        return {
            name: sum(bool(line.strip()) for line in text.splitlines()) for name, text in self.files.items()
        }


def words_of(command: str) -> list[str]:
    """Return a command's words, as a shell reads them."""
    return shlex.split(command)
