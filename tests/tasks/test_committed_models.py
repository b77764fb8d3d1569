"""The models in benchmarks/checkpoints are what their names say."""

import re
from pathlib import Path

import pytest

import aimc
from aimc import cards
from aimc.tasks import CharacterModelling, KeywordSpotting

FOLDER = Path(__file__).parents[2] / "benchmarks" / "checkpoints"
AWARE = re.compile(r"(kws-lstm32|lm-kjv-small)-(.+)-(\d+)bit")


def load(path):
    return (KeywordSpotting if path.name.startswith("kws") else CharacterModelling).load(path)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.safetensors")), ids=lambda path: path.stem)
def test_committed_models_load_and_are_calibrated(path):
    model = load(path)
    assert model.recurrent.aimc_ranges
    assert model.readout.aimc_ranges
    assert model.info["recipe"]


@pytest.mark.parametrize(
    "path", sorted(FOLDER.glob("*bit.safetensors")), ids=lambda path: path.stem
)
def test_committed_hardware_aware_models_were_trained_for_their_cards(path):
    """Where this fails, a card has changed since: train them again, see benchmarks/README.md."""
    found = AWARE.fullmatch(path.stem)
    assert found
    _, card, bits = found.groups()
    model = load(path)
    assert model.info["bits"] == int(bits)
    assert model.info["hardware"] == cards.digest(aimc.load(card).replace(bits=int(bits)))
