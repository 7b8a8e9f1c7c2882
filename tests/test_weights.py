"""The weights of axes, in all the ways that authors write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forest.errors import InvalidTree
from forest.model import Tree
from forest.weights import axis_weights


@pytest.mark.parametrize(
    ("written", "weights"),
    [
        ({}, {}),
        ([], {}),
        (["a"], {"a": 1.0}),
        (["a", "b"], {"a": 0.5, "b": 0.5}),
        (("a", "b", "c"), {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": 100}, {"a": 1.0}),
        ({"a": 0.8, "b": 0.2}, {"a": 0.8, "b": 0.2}),
        ({"a": 80, "b": 20}, {"a": 0.8, "b": 0.2}),
        ({"a": "80%", "b": "20 %"}, {"a": 0.8, "b": 0.2}),
        ({"a": "0.8", "b": "0,2"}, {"a": 0.8, "b": 0.2}),
        ({"a": "80", "b": "20"}, {"a": 0.8, "b": 0.2}),
        ({"a": "80%", "b": 0.2}, {"a": 0.8, "b": 0.2}),
        ({"a": 80, "b": "20%"}, {"a": 0.8, "b": 0.2}),
        ({"a": 33.3, "b": 33.3, "c": 33.4}, {"c": 0.334, "a": 0.333, "b": 0.333}),
        ({"a": 33.3, "b": 33.3, "c": 33.3}, {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}),
        ({"a": 0.333, "b": 0.333, "c": 0.333}, {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}),
        ({"a": 0.1, "b": 0.2, "c": 0.7}, {"c": 0.7, "b": 0.2, "a": 0.1}),
        (["b", "A"], {"A": 0.5, "b": 0.5}),
        ({" b ": 0.5, "а": 0.5}, {"b": 0.5, "а": 0.5}),
    ],
)
def test_ways_of_writing_weights(written, weights):
    found = axis_weights(written)
    assert found == pytest.approx(weights)
    assert list(found) == list(weights)
    assert not found or sum(found.values()) == pytest.approx(1, abs=1e-9)
    assert Tree("t", axes=written).axes == found
    assert axis_weights(found) == found  # a tree that is read and written back stays as it is


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"a": 0.5}, "sum to 0.5"),
        ({"a": 0.6, "b": 0.6}, "sum to 1.2: they must sum to 1"),
        ({"a": 60, "b": 60}, "'b'|sum to 120"),
        ({"a": 0, "b": 1}, "the weight of axis 'a' is 0: expected a number above 0"),
        ({"a": -0.5, "b": 1.5}, "the weight of axis 'a' is -0.5"),
        ({"a": math.nan}, "the weight of axis 'a' is nan"),
        ({"a": math.inf}, "the weight of axis 'a' is inf"),
        ({"a": True}, "the weight of axis 'a' is True"),
        ({"a": None}, "the weight of axis 'a' is None"),
        ({"a": "much"}, "the weight of axis 'a' is 'much'"),
        ({"a": "-50%"}, "the weight of axis 'a' is '-50%'"),
        ({"a": 250}, "the weight of axis 'a' is 250: .* at most 1 "),
        ({"a": 0.5, "A": 0.5}, "an axis is named twice"),
        (["ёж", "еж"], "an axis is named twice"),
        (["a", "a"], "an axis is named twice"),
        ([0.5, 0.5], "write weights as {name: weight}"),
        ([{"a": 1}], "write weights as {name: weight}"),
        ("a", "axes are a list of names, or names with weights"),
        ({5: 1}, "an axis is called 5: a name must be text"),
        ({"": 1}, "the axis name ''"),
        ({"a\nb": 1}, r"U\+000A may not stand in it"),
        ({"...": 1}, "no letter"),
    ],
)
def test_weights_that_are_refused(written, message):
    with pytest.raises(ValueError, match=message):
        axis_weights(written)
    with pytest.raises(InvalidTree, match=message):
        Tree("t", axes=written)


@pytest.mark.parametrize("written", [{"a": "33.3%", "b": "66.7%"}, {"a": 33.3, "b": 66.7}])
def test_a_percent_is_the_fraction_that_its_author_sees(written):
    assert axis_weights(written) == {"a": 0.333, "b": 0.667}


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=40))
def test_fractions_are_kept_exactly(parts):
    written = {f"axis {i}": part / sum(parts) for i, part in enumerate(parts)}
    assert axis_weights(written) == written
