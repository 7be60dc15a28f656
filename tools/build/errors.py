"""The one error of the build."""


class BuildError(Exception):
    """The site cannot be built; the text says what is wrong and what to do."""
