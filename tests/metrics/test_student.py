"""The table of Student's t distribution is that of the library that computes it."""

import numpy as np
from scipy.special import stdtrit

from sambench.metrics.student import student


def test_quantiles_are_the_library_s_to_the_last_bit():
    few, many = np.arange(1, 256), np.array([256, 10**4])
    assert student(few).tolist() == stdtrit(few, 0.975).tolist()
    assert student(many).tolist() == stdtrit(many, 0.975).tolist()
    assert student(np.array([], dtype=np.int64)).tolist() == []
