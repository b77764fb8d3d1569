"""Training of models with more in them than trained weights on arrays: buffers, dropout, frozen."""

import dataclasses
from copy import deepcopy

import pytest
import torch

import aimc
from aimc import nn
from aimc.errors import ArgumentError, DataError
from aimc.nn.checkpoint import fingerprint
from aimc.parts.device import Effect


class Sign:
    """Whether the sum of three inputs is positive."""

    label, steps = "sign", 5

    def __init__(self, shift=0.0):
        self.shift = shift

    def course(self, model, seed):
        self.seed = seed
        return self

    def batch(self, step):
        x = torch.rand(32, 3, generator=torch.Generator().manual_seed(97 * self.seed + step))
        x = 2 * x - 1 + self.shift
        return x, (x.sum(1) > 0).long()

    def forward(self, model, inputs, state):
        return model(inputs), None


RECIPE = nn.Recipe(epochs=4, rate=0.02, averaging=0.9)
CARDS = pytest.mark.parametrize("card", [None, "taox-1t1r-128"])


def model(*between, seed=0):
    torch.manual_seed(seed)
    made = torch.nn.Sequential(torch.nn.Linear(3, 6), *between, torch.nn.Linear(6, 2))
    return nn.calibrate(made, 2 * torch.rand(100, 3) - 1)


def train(start, card=None, task=None, recipe=RECIPE, **options):
    hardware = card and aimc.load(card)
    return nn.train(start, task or Sign(), hardware, recipe=recipe, **options)


def same(one, two):
    return all(
        torch.equal(value, two.state_dict()[name]) for name, value in one.state_dict().items()
    )


class Stop(Sign):
    """Stops before step `at`."""

    at = 0

    def batch(self, step):
        if step == self.at:
            raise KeyboardInterrupt
        return super().batch(step)


def resumed(start, path, at, card=None, recipe=RECIPE, **options):
    stop = Stop()
    stop.at = at
    with pytest.raises(KeyboardInterrupt):
        train(start, card, stop, recipe, checkpoint=nn.Checkpoint(path, 3), **options)
    return train(start, card, Sign(), recipe, checkpoint=nn.Checkpoint(path, 3), **options)


@CARDS
def test_buffers_are_those_after_the_last_step(card, tmp_path):
    start = model(torch.nn.BatchNorm1d(6), torch.nn.Tanh())
    trained = train(start, card)
    assert int(trained.get_buffer("1.num_batches_tracked")) == RECIPE.epochs * Sign.steps
    assert float(trained.get_buffer("1.running_mean").abs().max()) > 0.01
    assert int(start.get_buffer("1.num_batches_tracked")) == 0
    assert same(trained, resumed(start, tmp_path / "run.safetensors", 11, card))


@CARDS
def test_dropout_follows_the_seed_and_survives_a_stop(card, tmp_path):
    start = model(torch.nn.Dropout(0.3))
    torch.manual_seed(1)
    trained = train(start, card)
    torch.manual_seed(2)
    expected = torch.rand(2)
    torch.manual_seed(2)
    assert same(trained, train(start, card))
    assert torch.equal(torch.rand(2), expected)
    assert not same(trained, train(start, card, seed=1))
    torch.manual_seed(3)
    assert same(trained, resumed(start, tmp_path / "run.safetensors", 11, card))


@CARDS
def test_frozen_parameters_stay_and_do_not_break_a_checkpoint(card, tmp_path):
    start = model()
    start.get_parameter("0.weight").requires_grad_(False).mul_(20)
    recipe = dataclasses.replace(RECIPE, weight_noise=0.1)
    trained = train(start, card, recipe=recipe)
    for name, frozen in (("0.weight", True), ("1.weight", False)):
        one, two = trained.get_parameter(name), start.get_parameter(name)
        assert torch.equal(one, two) == frozen
    assert same(trained, resumed(start, tmp_path / "run.safetensors", 11, card, recipe))
    for parameter in start.parameters():
        parameter.requires_grad_(False)
    plain = dataclasses.replace(recipe, ranges=False)
    with pytest.raises(ArgumentError, match="`model` must have parameters that may be trained"):
        train(start, card, recipe=plain)


def test_a_parameter_that_no_score_depends_on_does_not_break_a_checkpoint(tmp_path):
    start = model()
    start.register_parameter("unused", torch.nn.Parameter(torch.ones(3)))
    trained = train(start, checkpoint=tmp_path / "run.safetensors")
    assert same(trained, train(start, checkpoint=tmp_path / "run.safetensors"))


@CARDS
def test_the_limit_holds_for_what_goes_on_arrays_and_never_shrinks_a_start(card):
    """A step that changes nothing leaves every weight, however large it came."""
    start = model(torch.nn.LayerNorm(6))
    with torch.no_grad():
        start.get_parameter("0.weight").mul_(20)
        start.get_parameter("1.weight").fill_(7.0)
    still = dataclasses.replace(RECIPE, epochs=1, rate=1e-9, decay=0.0, ranges=False)
    trained = train(start, card, recipe=still)
    for one, two in zip(start.parameters(), trained.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-6)
    tight = dataclasses.replace(RECIPE, weight_limit=0.5, averaging=0.0)
    trained = train(start, card, recipe=tight, digital=["2"])
    largest = [m.get_parameter("0.weight").detach().abs().max() for m in (trained, start)]
    assert largest[0] <= largest[1]
    assert float(trained.get_parameter("1.weight").detach().min()) > 6.0


def test_a_checkpoint_of_any_other_run_is_refused(tmp_path):
    path, recipe = tmp_path / "run.safetensors", dataclasses.replace(RECIPE, distill=0.5)
    base = {"start": model(), "task": Sign(), "card": "taox-1t1r-128", "recipe": recipe}
    trained = train(**base, checkpoint=path)
    assert same(trained, train(**base, checkpoint=path))
    dropout = torch.nn.Dropout(0.1)
    for other, what in (
        ({"start": model(seed=1)}, "model"),
        ({"start": model(dropout)}, "model"),
        ({"task": Sign(shift=0.1)}, "data"),
        ({"teacher": model(seed=1)}, "teacher"),
        ({"digital": ["1"]}, "digital"),
        ({"seed": 1}, "seed"),
        ({"card": "ideal-5bit"}, "hardware"),
        ({"recipe": RECIPE}, "recipe"),
    ):
        with pytest.raises(DataError, match=f"is another's: .*{what}.*differ"):
            train(**{**base, **other}, checkpoint=path)
    frozen = model()
    frozen[0].bias.requires_grad_(False)
    with pytest.raises(DataError, match="is another's: trained differs"):
        train(**{**base, "start": frozen}, checkpoint=path)


def test_options_of_analog_layers_tell_models_apart():
    """Whose weights are equal: a checkpoint of one is not the other's."""
    made = [nn.Linear(3, 2), nn.Linear(3, 2, x_scale=2.0), nn.Linear(3, 2, curve="tanh")]
    for layer in made:
        layer.load_state_dict(made[0].state_dict())
    assert len({fingerprint(layer) for layer in made}) == 3
    assert fingerprint(made[1]) == fingerprint(deepcopy(made[1]))
    hidden = [nn.LSTM(3, 2, cell_tanh=how) for how in ("digital", "ramp")]
    hidden[1].load_state_dict(hidden[0].state_dict())
    assert fingerprint(hidden[0]) != fingerprint(hidden[1])


def test_other_data_of_the_same_label_are_told_by_their_digest(tmp_path):
    path = tmp_path / "run.safetensors"
    one, two = Sign(), Sign()
    one.digest, two.digest = "one", "two"  # pyright: ignore[reportAttributeAccessIssue]
    train(model(), task=one, checkpoint=path)
    with pytest.raises(DataError, match="is another's: data differs"):
        train(model(), task=two, checkpoint=path)


def test_a_checkpoint_that_cannot_be_written_is_refused_before_any_step(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    never = Stop()
    for path, why in ((tmp_path, "it is a folder"), (file / "run", f"{file} cannot be a folder")):
        with pytest.raises(ArgumentError, match=f"`checkpoint` must be a file that .*: {why}"):
            train(model(), task=never, checkpoint=path)


def test_what_is_no_task_recipe_or_class_is_named():
    never = Stop()
    with pytest.raises(ArgumentError, match="`task` must have a label and a course"):
        nn.train(model(), 3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match=r"`recipe` must be an aimc\.nn\.Recipe"):
        train(model(), task=never, recipe={"epochs": 3})  # pyright: ignore[reportArgumentType]
    never.steps = 0
    with pytest.raises(ArgumentError, match=r"`course\.steps` must be at least 1, but is 0"):
        train(model(), task=never)
    with pytest.raises(ArgumentError, match="names 'none'"):
        train(model(), task=Stop(), digital=["none"])
    many = Sign()
    many.batch = lambda step: (torch.zeros(4, 3), torch.arange(4))
    with pytest.raises(
        ArgumentError, match=r"`task` must give classes from 0 to 1, .* gives 0 to 3"
    ):
        train(model(), task=many)


def test_a_chip_of_a_trained_model_with_buffers_is_the_model(rng):
    trained = train(model(torch.nn.BatchNorm1d(6), torch.nn.Tanh()))
    x = 2 * torch.rand(50, 3) - 1
    nn.calibrate(trained, x)
    chip = nn.program(trained, aimc.load("ideal-5bit").replace(bits=12), rng)
    with torch.no_grad():
        assert float((chip(x) - trained(x)).abs().max()) < 0.05


@dataclasses.dataclass(frozen=True)
class Up(Effect):
    step: float

    def __call__(self, g, rng, g_max, t):
        return g + self.step


@dataclasses.dataclass(frozen=True)
class Down(Effect):
    step: float

    def __call__(self, g, rng, g_max, t):
        return g - self.step


def test_a_checkpoint_of_an_effect_of_ones_own_is_not_continued_for_its_opposite(tmp_path):
    base = aimc.load("ideal-5bit")
    up, down = (
        base.replace(device=dataclasses.replace(base.device, on_write=(effect(1e-6),)))
        for effect in (Up, Down)
    )
    recipe = dataclasses.replace(RECIPE, epochs=1)

    def run(hardware):
        return nn.train(
            model(), Sign(), hardware, recipe=recipe, checkpoint=nn.Checkpoint(tmp_path / "a.st")
        )

    assert same(run(up), run(up))
    with pytest.raises(DataError, match="hardware"):
        run(down)
