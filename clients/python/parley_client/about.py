"""Which release this is. It is that of the worker."""

__version__ = "0.1.0"
