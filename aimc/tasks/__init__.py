"""Benchmark tasks: data, features, models, training, accuracy of float models and of chips."""

try:
    import torch as _torch  # noqa: F401
except ImportError as _error:  # pragma: no cover
    from aimc.errors import MissingExtra

    raise MissingExtra("torch", "torch") from _error

from aimc.tasks.character_modelling import CharacterModelling
from aimc.tasks.keyword_spotting import KeywordSpotting

__all__ = ["CharacterModelling", "KeywordSpotting"]
