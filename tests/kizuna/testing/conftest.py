"""The fixtures that users get by ``-p kizuna.testing.pytest_plugin``."""

from kizuna.testing.pytest_plugin import kizuna_conformance, kizuna_platform, kizuna_server, kizuna_target

__all__ = ["kizuna_conformance", "kizuna_platform", "kizuna_server", "kizuna_target"]
