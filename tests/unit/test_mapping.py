"""Laws of the mappings: every mapping inherits the contract."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aimc.errors import ArgumentError
from aimc.parts.device import Device
from aimc.parts.mapping import DifferentialPair, OffsetColumn

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=6)
WEIGHTS = hnp.arrays(np.float64, SHAPES, elements=st.floats(-10, 10))
DEVICES = st.sampled_from([Device(150e-6), Device(150e-6, 1e-6), Device(225e-6, 50e-6)])
ROUNDING = 8 * np.finfo(float).eps
# A law that several classes inherit is run by several classes.
inherited = settings(suppress_health_check=[HealthCheck.differing_executors])


class MappingContract:
    """What holds for every mapping. `kind` is the class."""

    kind: type

    @inherited
    @given(w=WEIGHTS, device=DEVICES)
    def test_weights_come_back_from_their_conductances(self, w, device):
        mapping = self.kind()
        w_max = mapping.scale(w)
        back = mapping.to_weight(mapping.to_conductance(w, device, w_max), device, w_max)
        scale = device.g_max / mapping.span(device)
        np.testing.assert_allclose(back, w, rtol=0, atol=ROUNDING * w_max * scale)

    @inherited
    @given(w=WEIGHTS, device=DEVICES, w_max=st.floats(1e-3, 10))
    def test_larger_weights_are_clipped_to_w_max(self, w, device, w_max):
        mapping = self.kind(w_max)
        assert mapping.scale(w) == w_max
        back = mapping.to_weight(mapping.to_conductance(w, device, w_max), device, w_max)
        scale = device.g_max / mapping.span(device)
        np.testing.assert_allclose(
            back, np.clip(w, -w_max, w_max), rtol=0, atol=ROUNDING * w_max * scale
        )

    @inherited
    @given(w=WEIGHTS, device=DEVICES, w_max=st.floats(1e-3, 10))
    def test_targets_lie_in_the_range_and_the_device_takes_them(self, w, device, w_max):
        mapping = self.kind(w_max)
        g = mapping.to_conductance(w, device, w_max)
        assert g.shape == (w.shape[0], mapping.lines(w.shape[1]))
        assert g.min() >= device.g_min - ROUNDING * device.g_max
        assert g.max() <= device.g_max * (1 + ROUNDING)
        np.testing.assert_array_equal(device.write(g, np.random.default_rng(0)), g)

    @inherited
    @given(w=WEIGHTS, device=DEVICES, v=st.integers(0, 2**32 - 1))
    def test_combining_currents_and_combining_conductances_commute(self, w, device, v):
        """combine(v @ g) = v @ combine(g): what a macro's one product rests on."""
        mapping = self.kind()
        g = mapping.to_conductance(w, device, mapping.scale(w))
        v = np.random.default_rng(v).uniform(-0.2, 0.2, (3, w.shape[0]))
        size = 0.2 * device.g_max * w.shape[0]
        np.testing.assert_allclose(
            mapping.combine(v @ g), v @ mapping.combine(g), rtol=0, atol=ROUNDING * size
        )

    def test_the_largest_weight_takes_the_whole_range(self):
        device, mapping = Device(150e-6, 1e-6), self.kind()
        w = np.array([[2.0, 0.5], [-2.0, 0.0]])
        assert mapping.scale(w) == 2.0
        g = mapping.to_conductance(w, device, 2.0)
        assert g.max() == pytest.approx(device.g_max, rel=1e-12)
        assert g.min() == pytest.approx(device.g_min, rel=1e-9)

    def test_a_matrix_of_zeros_is_zero(self):
        device, mapping = Device(150e-6, 1e-6), self.kind()
        w = np.zeros((3, 2))
        assert mapping.scale(w) == 1.0
        g = mapping.to_conductance(w, device, 1.0)
        np.testing.assert_array_equal(mapping.combine(g), w)

    def test_the_weights_are_left_as_they_were(self):
        w = np.array([[3.0, -3.0]])
        self.kind(1.0).to_conductance(w, Device(150e-6), 1.0)
        np.testing.assert_array_equal(w, [[3.0, -3.0]])

    @pytest.mark.parametrize("w_max", [0.0, -1.0, np.inf, np.nan, "1"])
    def test_w_max_must_be_a_number_above_zero(self, w_max):
        with pytest.raises(ArgumentError, match="`w_max` must be"):
            self.kind(w_max)


class TestDifferentialPair(MappingContract):
    kind = DifferentialPair

    def test_the_idle_cell_of_a_pair_stands_at_g_min(self):
        device = Device(150e-6, 10e-6)
        g = DifferentialPair().to_conductance(np.array([[1.0, -0.5, 0.0]]), device, 1.0)
        np.testing.assert_allclose(g, [[150e-6, 10e-6, 10e-6, 80e-6, 10e-6, 10e-6]], rtol=1e-12)

    def test_a_weight_s_two_cells_are_neighbours_plus_first(self):
        i = np.array([[5.0, 1.0, 2.0, 4.0]])
        np.testing.assert_array_equal(DifferentialPair().combine(i), [[4.0, -2.0]])


class TestOffsetColumn(MappingContract):
    kind = OffsetColumn

    def test_weights_lie_around_the_middle_and_the_last_column_is_the_middle(self):
        device = Device(150e-6, 10e-6)
        g = OffsetColumn().to_conductance(np.array([[1.0, -1.0, 0.5]]), device, 1.0)
        np.testing.assert_allclose(g, [[150e-6, 10e-6, 115e-6, 80e-6]], rtol=1e-12)

    def test_the_last_column_is_subtracted_from_all(self):
        i = np.array([[5.0, 1.0, 2.0]])
        np.testing.assert_array_equal(OffsetColumn().combine(i), [[3.0, -1.0]])


def test_an_offset_column_has_half_the_cells_and_half_the_signal():
    device = Device(150e-6, 10e-6)
    assert DifferentialPair().lines(64) == 128
    assert OffsetColumn().lines(64) == 65
    assert DifferentialPair().span(device) == 2 * OffsetColumn().span(device)
