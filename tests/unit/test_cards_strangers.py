"""Laws of parts that describe themselves: every registered one, and strangers of each kind."""

import dataclasses
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aimc
from aimc import cards, cost, spice
from aimc.converters import LinearRampADC
from aimc.converters.imperfections import Imperfection
from aimc.errors import ArgumentError, CardError, SpiceError
from aimc.macro import Hardware
from aimc.parts.device import Arrhenius, Device, Effect, TemperatureCoefficient, WriteError
from aimc.parts.driver import PulseDriver
from aimc.parts.fields import Choice, Count, Link, Quantity, count, descriptions, quantity
from aimc.parts.ivcurve import Cubic, IVCurve, Tabulated
from aimc.parts.mapping import DifferentialPair, Mapping
from aimc.parts.registry import Part, Source, kind_of, named, registered
from aimc.parts.sense import Integrator
from aimc.parts.wires import Wires

BASE = aimc.load("taox-1t1r-128")


@registered("test-hop")
class Hop(Effect):
    step: float = quantity("S", "what cells gain", minimum=0)
    tries: int = count("chances that a cell has", default=2)

    def __call__(self, g, rng, g_max, t):
        return g + self.step * (rng.random(g.shape) < 0.01 * self.tries)


@registered("test-fall")
class Fall(Hop):
    def __call__(self, g, rng, g_max, t):
        return g - self.step * (rng.random(g.shape) < 0.01 * self.tries)


@registered("test-elbow")
class Elbow(IVCurve):
    v_0: float = quantity("V", "where the slope grows", above=0)

    def evaluate(self, g, u):
        g, u = np.broadcast_arrays(g, u)
        s, edge = np.abs(u), self.v_0 + np.abs(u)
        return g * u * (1 + s / edge), g * (1 + s * (self.v_0 + edge) / edge**2)


@registered("test-pair")
class Pair(DifferentialPair):
    pass


@registered("test-driver")
class Rounded(PulseDriver):
    loss: float = quantity("1", "of each pulse", default=0.0, minimum=0, maximum=1)


@registered("test-droop")
class Droop(Imperfection):
    share: float = quantity("1", "lost when sampled", minimum=0, maximum=1)

    def columns(self, made, cols, c_array, rng):
        return replace(made, ratio=made.ratio * (1 - self.share))


@registered("test-adc")
class Lazy(LinearRampADC):
    pause: float = quantity("s", "before each conversion", default=0.0, minimum=0)


@registered("test-sense")
class Slow(Integrator):
    pass


@registered("test-wires")
class Thick(Wires):
    pass


@registered("test-temperature")
class Bent(TemperatureCoefficient):
    pass


@registered("test-retention")
class Sooner(Arrhenius):
    pass


@registered("test-device")
class Cell(Device):
    pass


def with_device(**fields):
    return BASE.replace(device=replace(BASE.device, **fields))


STRANGERS = {
    "effect": with_device(on_write=(WriteError(1e-6), Hop(2e-6, 3))),
    "opposite effect": with_device(on_write=(WriteError(1e-6), Fall(2e-6, 3))),
    "aged effect": with_device(on_age=(Hop(2e-6, 3),)),
    "curve": with_device(iv=Elbow(0.5)),
    "temperature": with_device(temperature=Bent(1e-3, -1e-3)),
    "retention": with_device(retention=Sooner(1e-19)),
    "device": BASE.replace(device=Cell(g_max=150e-6)),
    "mapping": BASE.replace(mapping=Pair(2.0)),
    "driver": BASE.replace(driver=Rounded(0.2, 5, loss=0.1)),
    "wires": BASE.replace(wires=Thick(1.0)),
    "sense": BASE.replace(sense=Slow(0.4)),
    "converter": BASE.replace(adc=Lazy(5, pause=1e-9)),
    "imperfection": BASE.replace(adc=replace(BASE.adc, imperfections=(Droop(0.01),))),
}


def again(hardware, tmp_path, **said):
    path = tmp_path / f"{hardware.name or 'mine'}.toml"
    path.write_text(cards.dump(hardware, **said))
    return cards.read(path)


def example(what):
    """A value that is as described, and not zero."""
    if isinstance(what, Quantity):
        value = 1.25 * (what.minimum or what.above or 0.0) or 0.25
        value = value if abs(value) < np.inf else 0.25
        if what.depth:
            value = (value, 2 * value) if what.depth == 1 else ((value,), (2 * value,))
        return value
    return what.allowed[-1] if isinstance(what, Choice) else max(what.minimum, 2)


def made(cls):
    """One of a registered class, all its numbers given; None where they depend on each other."""
    values: dict[str, Any] = {}
    for name, what in descriptions(cls).items():
        if not isinstance(what, Link):
            values[name] = example(what)
        elif not what.many and not what.optional:
            values[name] = getattr(BASE, name)
    for name in values.keys() & {"g_max", "v_gate"}:
        values[name] = 1.0
    if cls is Tabulated:
        values |= {"voltage": (-1.0, 1.0), "current": (-1.0, 1.0)}
    if "cell" in descriptions(cls):
        values["cell"] = None
    return cls(**values)


def placed(part):
    """Hardware that has that part, in the place of its kind."""
    for owner, put in (
        (BASE, lambda **fields: BASE.replace(**fields)),
        (BASE.device, with_device),
        (BASE.adc, lambda **fields: BASE.replace(adc=replace(BASE.adc, **fields))),
    ):
        for name, what in descriptions(type(owner)).items():
            if isinstance(what, Link) and isinstance(part, what.kind):
                return put(**{name: (part,) if what.many else part})
    raise AssertionError(part)


REGISTERED = sorted(named(Part).items())


@pytest.mark.parametrize(("name", "cls"), REGISTERED, ids=[name for name, _ in REGISTERED])
class TestEveryRegisteredPart:
    def test_each_field_says_what_it_is(self, name, cls):
        for field in dataclasses.fields(cls):
            if field.compare:
                what = descriptions(cls)[field.name]
                assert what.meaning
                assert isinstance(what, Quantity | Count | Choice | Link)

    def test_a_card_of_it_loads_to_the_same_hardware(self, name, cls, tmp_path):
        hardware = placed(made(cls))
        card = again(hardware, tmp_path)
        assert card.hardware == hardware
        assert cards.digest(card.hardware) == cards.digest(hardware) != cards.digest(BASE)

    def test_each_number_moves_the_digest(self, name, cls):
        part = made(cls)
        for key, what in descriptions(cls).items():
            if isinstance(what, Quantity) and not what.depth:
                other = replace(part, **{key: 0.875 * getattr(part, key)})
                assert cards.digest(placed(other)) != cards.digest(placed(part))

    def test_a_number_out_of_its_bounds_is_refused_by_name(self, name, cls):
        part = made(cls)
        for key, what in descriptions(cls).items():
            bad = None if what.optional else "a word"
            if isinstance(what, Quantity) and not what.depth:
                bad = np.nan if what.minimum is None else what.minimum - 1.0
            if bad is not None:
                with pytest.raises(ArgumentError, match=f"`{key}` must"):
                    replace(part, **{key: bad})


def test_the_hardware_says_what_its_fields_are():
    assert all(what.meaning for what in descriptions(Hardware).values())


@pytest.mark.parametrize("kind", STRANGERS)
def test_a_stranger_loads_dumps_and_has_a_digest_of_its_own(kind, tmp_path):
    hardware = STRANGERS[kind]
    card = again(hardware, tmp_path)
    assert card.hardware == hardware
    assert cards.digest(card.hardware) == cards.digest(hardware)
    others = {cards.digest(each) for name, each in STRANGERS.items() if name != kind}
    assert cards.digest(hardware) not in others | {cards.digest(BASE)}


def test_there_is_a_stranger_of_each_kind():
    kinds = {kind_of(cls) for cls in named(Part).values() if cls.__module__ == __name__}
    assert kinds == {kind_of(cls) for cls in named(Part).values()}


# As a user writes them who has read nothing of cards.
@dataclass(frozen=True)
class Plain(IVCurve):
    v_0: float

    def evaluate(self, g, u):
        return Elbow(self.v_0).evaluate(g, u)


@dataclass(frozen=True)
class SharedMinus(Mapping):
    def lines(self, cols):
        return cols + (cols + 1) // 2

    def span(self, device):
        return (device.g_max - device.g_min) / 2

    def to_conductance(self, w, device, w_max):
        middle = (device.g_max + device.g_min) / 2
        g = np.full((w.shape[0], self.lines(w.shape[1])), middle)
        g[:, : w.shape[1]] += np.clip(w / w_max, -1, 1) * self.span(device)
        return g

    def combine(self, i):
        cols = 2 * i.shape[-1] // 3
        return i[..., :cols] - np.repeat(i[..., cols:], 2, axis=-1)[..., :cols]


@dataclass(frozen=True)
class Up(Effect):
    step: float

    def __call__(self, g, rng, g_max, t):
        return g + self.step


@dataclass(frozen=True)
class Down(Effect):
    step: float

    def __call__(self, g, rng, g_max, t):
        return g - self.step


UNREGISTERED = {
    "mapping": BASE.replace(mapping=SharedMinus()),
    "curve": with_device(iv=Plain(0.5)),
    "effect": with_device(on_write=(Up(1e-6),)),
}


@pytest.mark.parametrize("kind", UNREGISTERED)
def test_an_unregistered_part_has_a_digest_and_is_refused_on_a_card(kind):
    hardware = UNREGISTERED[kind]
    assert cards.digest(hardware) == cards.digest(hardware) != cards.digest(BASE)
    with pytest.raises(CardError, match=r"must be registered .* Decorate it with @registered"):
        cards.dump(hardware)


@pytest.mark.parametrize("kind", UNREGISTERED)
def test_an_unregistered_part_is_programmed_billed_and_written_as_a_netlist_or_refused(kind, rng):
    hardware = UNREGISTERED[kind]
    macro = hardware.program(rng.normal(0, 0.3, (4, 3)), rng)
    assert cost.bill(macro).energy > 0
    if kind == "curve":
        with pytest.raises(SpiceError, match="no SPICE model of cells with Plain"):
            spice.netlist(macro, np.zeros((1, 4)))
    else:
        assert cards.digest(hardware) in spice.netlist(macro, np.zeros((1, 4))).text


def test_opposite_effects_of_equal_fields_differ_in_digest():
    up, down = (with_device(on_age=(each(1e-6),)) for each in (Up, Down))
    assert cards.digest(up) != cards.digest(down)


MODULE = """
import aimc
from aimc.parts.device import Device, Effect
from aimc.parts.registry import registered

@registered("test-shift")
class Shift(Effect):
    def __call__(self, g, rng, g_max, t):
        return g + {step}

if __name__ != "__main__":
    base = aimc.load("taox-1t1r-128")
    print(aimc.cards.digest(base.replace(device=Device(1e-4, on_age=(Shift(),)))))
"""


def test_equal_classes_of_other_modules_differ_in_digest(tmp_path):
    """As two processes would register them: the same name on cards, the same fields."""
    told = []
    for name, step in (("mine", 1e-6), ("yours", -1e-6), ("mine", 1e-6)):
        (tmp_path / f"{name}.py").write_text(MODULE.format(step=step))
        run = [sys.executable, "-c", f"import sys; sys.path.insert(0, '.'); import {name}"]
        told.append(subprocess.check_output(run, cwd=tmp_path, text=True))
    assert told[0] != told[1]
    assert told[0] == told[2]


def test_what_no_digest_can_tell_apart_is_refused():
    @dataclass(frozen=True)
    class Odd(Effect):
        law: object

        def __call__(self, g, rng, g_max, t):
            return g

    class Bare(Effect):
        def __init__(self, step):
            object.__setattr__(self, "step", step)

        def __call__(self, g, rng, g_max, t):
            return g

    for effect, message in ((Odd(print), "Odd.law` must be"), (Bare(1.0), "hold its numbers in")):
        with pytest.raises(ArgumentError, match=message):
            cards.digest(with_device(on_write=(effect,)))


def test_a_name_is_of_one_class_and_a_field_is_described():
    with pytest.raises(ArgumentError, match=r"must be another than that of aimc\.parts\.effects"):
        registered("write-error")(type("Mine", (Effect,), {}))
    with pytest.raises(ArgumentError, match=r"Mine.step` must be described, but is not. Write `st"):
        registered("mine")(type("Mine", (Effect,), {"__annotations__": {"step": float}}))


@pytest.mark.parametrize("name", cards.names())
def test_a_dumped_card_keeps_its_sources_and_its_doubts(name, tmp_path):
    first = cards.read(name)
    second = again(first.hardware, tmp_path)
    told = [[(e.table, e.key, e.source, e.verified) for e in c.entries] for c in (first, second)]
    assert sorted(told[0]) == sorted(told[1])
    assert sum(not e.verified for e in second.entries) == sum(not e.verified for e in first.entries)


@pytest.mark.parametrize("name", [*cards.names(), *STRANGERS])
def test_what_is_dumped_is_what_was_loaded(name, tmp_path):
    """Names, sources, doubts and what a card says of itself, of its parts too, are none lost."""
    first = cards.read(name) if name in cards.names() else again(STRANGERS[name], tmp_path)
    second = again(first.hardware, tmp_path)
    assert second.about == first.about
    assert cards.dump(second.hardware) == cards.dump(first.hardware)
    for one, other in zip(parts_of(first.hardware), parts_of(second.hardware), strict=True):
        assert (one, one.about, {*one.sources}) == (other, other.about, {*other.sources})
        assert getattr(one, "name", "") == getattr(other, "name", "")


def parts_of(part):
    yield part
    for key, what in descriptions(type(part)).items():
        value = getattr(part, key)
        if isinstance(what, Link) and value is not None:
            for each in value if what.many else (value,):
                yield from parts_of(each)


@given(st.text(), st.text(), st.text())
def test_what_a_user_writes_is_dumped_to_be_loaded_or_refused(name, about, source):
    def dumped():
        hardware = replace(BASE.replace(g_max=1e-4), name=name, about=about)
        return hardware, cards.dump(hardware, source)

    if not source.strip():
        with pytest.raises(ArgumentError, match="`source` must be a text"):
            dumped()
        return
    hardware, text = dumped()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.toml"
        path.write_bytes(text.encode())
        card = cards.read(path)
    assert (card.hardware, card.hardware.name, card.about) == (hardware, name, about)
    assert {e.source for e in card.entries if e.key == "g_max"} == {source}


@pytest.mark.parametrize("bad", [None, 3, "", "  ", "\ud800"])
def test_a_source_is_a_text(bad):
    with pytest.raises(ArgumentError, match="`source` must be a text"):
        cards.dump(BASE, bad)
    with pytest.raises(ArgumentError, match="`source` must be a text"):
        Source("g_max", 1e-4, bad)
    if bad is None or not str(bad).isascii():
        with pytest.raises(ArgumentError, match="`name` must be a text"):
            replace(BASE, name=bad)


def test_a_number_that_was_changed_loses_its_source_and_has_it_again(tmp_path):
    def of(hardware, key):
        return next(e for e in again(hardware, tmp_path).entries if e.key == key)

    assert not of(BASE, "g_max").verified
    changed = BASE.replace(g_max=100e-6)
    assert (of(changed, "g_max").source, of(changed, "g_max").verified) == ("set by the user", True)
    assert of(changed, "g_min") == of(BASE, "g_min")
    assert of(changed.replace(g_max=150e-6), "g_max") == of(BASE, "g_max")
    moved = aimc.load("pcm-256").replace(device=BASE.device)
    assert of(moved, "g_max") == of(BASE, "g_max")


def test_a_whole_number_of_numpy_is_a_number():
    assert cards.digest(BASE.replace(rows=np.int64(64))) == cards.digest(BASE.replace(rows=64))
    assert Cubic(k3=np.array([1.0, 2.0])) == Cubic(k3=(1.0, 2.0))  # pyright: ignore[reportArgumentType]
