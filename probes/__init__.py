"""Wakecheck: which waiters does this kernel wake for one connection?"""

__version__ = "0.1.0"
