"""Lines of records are read as Python's json reads them, to the bit."""

import json
import struct

import numpy as np
import pytest

from sambench.store.lines import as_json, as_line, parsed

ODD = (
    "-0", "-0.0", "1e5", "0.1e-400", "4.9e-324", "2.4703282292062328e-324", "9007199254740993.0",
    "2.2250738585072011e-308", "1e400", "-1e400", "NaN", "-Infinity", "18446744073709551616",
    "-123456789012345678901234567890", "12345678901234567890.5", "1." + 900 * "1",
    '"\\ud800"', '"\\ud83d\\ude00"', '"\\u0000"', '{"a":1,"b":2,"a":3}', '[[],{},"",true,null]',
)  # fmt: skip


@pytest.mark.parametrize("text", ODD)
def test_odd_values_are_those_of_json(text):
    value = as_json(text.encode())
    expected = json.loads(text)
    assert repr(value) == repr(expected)  # which tells -0.0 from 0.0, 1 from 1.0, orders of keys
    assert type(value) is type(expected)


def test_floats_are_those_of_json():
    bits = np.random.default_rng(0).integers(0, 2**64, 20_000, dtype=np.uint64)
    floats = [x for x in struct.unpack(f"{len(bits)}d", bits.tobytes()) if np.isfinite(x)]
    assert len(floats) > 19_000
    line = as_line({"values": floats})
    assert [x.hex() for x in as_json(line)["values"]] == [x.hex() for x in floats]


@pytest.mark.parametrize(
    "line", [b"", b"[1]", b"{", b'{"a":01}', b'{"a":"\xff"}', b"[" * 100_000, b'"a"', b"{} {}"]
)
def test_what_is_no_object_is_none(line):
    assert parsed(line) is None
