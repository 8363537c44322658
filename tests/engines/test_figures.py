"""Prometheus' text, as far as it is needed."""

from hypothesis import given
from hypothesis import strategies as st

from pointsman.engines.figures import read, total

TEXT = b"""# TYPE a counter
a{x="1"} 2
a{x="2"} 3.5
ab 7
b +Inf
c 1e3

"""


def test_series_of_the_names_asked_for_and_no_others() -> None:
    """Comments, other names and what is no finite number are left out; series of a name add up."""
    found = read(TEXT, {"a", "b", "c"})
    assert found == {'a{x="1"}': 2.0, 'a{x="2"}': 3.5, "c": 1000.0}
    assert (total(found, "a"), total(found, "none")) == (5.5, 0.0)


@given(st.binary(max_size=200) | st.text(alphabet='ab{}"= 0.9e\n#', max_size=200).map(str.encode))
def test_nothing_raises(body: bytes) -> None:
    """Whatever a server says."""
    assert all(series.partition("{")[0] in {"a", "b"} for series in read(body, {"a", "b"}))
