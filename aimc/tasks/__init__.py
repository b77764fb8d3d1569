"""Benchmark tasks: data, features, models, training, accuracy of float models and of chips."""

import aimc.nn  # noqa: F401 -- says where torch is missing
from aimc.tasks.character_modelling import CharacterModelling
from aimc.tasks.keyword_spotting import KeywordSpotting

__all__ = ["CharacterModelling", "KeywordSpotting"]
