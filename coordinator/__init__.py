"""The program on the admin's machine: decides which host does which step, and when."""

from importlib.metadata import version

__version__ = version("roundsman")
