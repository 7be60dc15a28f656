"""The fixtures that users get by ``-p kizuna.testing.pytest_plugin``, and by that of the conformance suite."""

from kizuna.testing.conformance.pytest_plugin import kizuna_conformance, kizuna_target
from kizuna.testing.pytest_plugin import kizuna_platform, kizuna_server

__all__ = ["kizuna_conformance", "kizuna_platform", "kizuna_server", "kizuna_target"]
