"""The package's version; stored with every result."""

__version__ = "0.2.2"
