"""The search for garbage rests while much is read, and then goes on as it was."""

import gc
from contextlib import suppress

import pytest

from sambench.commands._collector import no_search_for_garbage


@pytest.mark.parametrize("searching", [True, False])
def test_it_rests_and_is_as_before_even_after_an_error(searching):
    before = gc.isenabled()
    (gc.enable if searching else gc.disable)()
    try:
        with suppress(ValueError), no_search_for_garbage():
            assert not gc.isenabled()
            raise ValueError
        assert gc.isenabled() == searching
    finally:
        (gc.enable if before else gc.disable)()
