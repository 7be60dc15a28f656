"""The fixtures that users get by ``-p kizuna.testing.pytest_plugin``."""

from kizuna.testing.pytest_plugin import kizuna_platform, kizuna_server

__all__ = ["kizuna_platform", "kizuna_server"]
