"""The error of the build."""


class BuildError(Exception):
    """The site cannot be built; the text says why, and what to do."""
