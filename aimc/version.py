"""The version of aimc."""

__version__ = "0.1.0"
