"""Ranks: who is better beyond noise, by known answers."""

import math
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sambench.metrics.significance import p_values, swaps_for
from sambench.metrics.statistics import Estimate, estimates
from sambench.report.leaderboard import make_boards, show_ranks, tie_rule
from sambench.report.ranking import paired_tests, read_together, standings
from sambench.shown import Metric
from sambench.store.paths import RECORDS
from sambench.store.result import Result, write_result
from sambench.store.run import Run
from sambench.store.tasks import task_of_result


def point(value: float) -> Estimate:
    return Estimate(value, math.nan, math.nan)


def ranks(values: list, p: dict | None = None, lower: bool = False, images: int = 100) -> list:
    found = standings(values, lower=lower, p=p, images=images)
    return [None if s is None else (s.best, s.worst) for s in found]


class TestStandings:
    def test_intervals_that_are_far_apart_tell(self) -> None:
        values = [Estimate(0.9, 0.8, 1.0), Estimate(0.85, 0.7, 0.95), Estimate(0.3, 0.2, 0.4)]
        assert ranks(values) == [(1, 2), (1, 2), (3, 3)]

    def test_a_paired_test_breaks_the_tie(self) -> None:
        values = [Estimate(0.9, 0.8, 1.0), Estimate(0.85, 0.7, 0.95)]
        assert ranks(values, {(0, 1): 0.05}) == [(1, 1), (2, 2)]
        assert ranks(values, {(0, 1): 0.051}) == [(1, 2), (1, 2)]
        assert ranks(values, {(0, 1): math.nan}) == [(1, 2), (1, 2)]

    def test_all_pairs_of_a_board_are_corrected_for(self) -> None:
        """A p of .02 tells two models apart, not two of three."""
        values = [point(v) for v in (0.9, 0.8, 0.7)]
        p = {(0, 1): 0.9, (0, 2): 0.02, (1, 2): 0.9}
        assert ranks(values, p) == [(1, 3)] * 3
        p[0, 2] = 0.016
        assert ranks(values, p) == [(1, 2), (1, 3), (2, 3)]

    def test_fewer_clicks_are_better(self) -> None:
        values = [Estimate(9.0, 5, 12), Estimate(8.0, 4, 11)]
        assert ranks(values, {(0, 1): 0.01}, lower=True) == [(2, 2), (1, 1)]
        assert ranks([point(9.0), point(8.0)], lower=True) == [(2, 2), (1, 1)]

    def test_plain_numbers_have_their_plain_order(self) -> None:
        assert ranks([point(0.2), None, point(0.9), point(0.2), point(math.nan)]) == [
            (2, 3), None, (1, 1), (2, 3), None,
        ]  # fmt: skip

    def test_a_tie_is_not_handed_on(self) -> None:
        """a ties with b and b with c, but a is better than c: the ranks say all three."""
        values = [point(0.6), point(0.5), point(0.4)]
        found = standings(values, lower=False, p={(0, 1): 0.2, (1, 2): 0.2, (0, 2): 0.001})
        assert [(s.best, s.worst, s.ties) for s in found if s] == [
            (1, 2, (1,)), (1, 3, (0, 2)), (2, 3, (1,)),
        ]  # fmt: skip

    def test_better_than_the_better_is_better(self) -> None:
        """b is too noisy to tell from a, but a beats c and c beats b."""
        values = [point(v) for v in (0.9, 0.3, 0.6)]
        p = {(0, 1): 0.3, (0, 2): 0.001, (1, 2): 0.001}
        assert ranks(values, p) == [(1, 1), (3, 3), (2, 2)]

    @given(
        st.lists(st.floats(0, 1), min_size=1, max_size=7),
        st.dictionaries(
            st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda p: p[0] < p[1]),
            st.floats(0, 0.1),
        ),
    )
    def test_those_that_tie_share_a_rank(self, values: list, p: dict) -> None:
        """Whatever the noise: ties share a place, and the best value can always be first."""
        found = standings([point(value) for value in values], lower=False, p=p)
        for i, own in enumerate(found):
            assert own is not None
            assert 1 <= own.best <= own.worst <= len(values)
            for j in own.ties:
                other = found[j]
                assert other is not None
                assert i in other.ties
                assert own.best <= other.worst
                assert other.best <= own.worst
        best = max(range(len(values)), key=lambda i: values[i])
        assert found[best] is not None
        assert found[best].best == 1  # type: ignore[union-attr]


def write_run(
    records_of, folder: Path, model: str, values: np.ndarray, *, records: bool = True
) -> Run:
    """A result of points whose i-th image has one object of IoU values[i]."""
    scored = {
        f"{i:03d}": {
            "iou": [[value]], "oracle": [value], "boundary_iou": [value],
            "areas": [5000.0], "categories": [0],
        }
        for i, value in enumerate(values.tolist())
    }  # fmt: skip
    result = Result(
        task="points", model=model, dataset="d", metric="mIoU", images=len(scored), metrics={},
        protocol={"task": {"points": 1}, "model": {"name": model}, "dataset": {"name": "d"}},
    )  # fmt: skip
    path = folder / "points" / "d" / f"{model}.json"
    task = task_of_result(result, path)
    metrics = estimates(task.estimator([*scored.values()]), len(scored), resamples=200)
    write_result(path, replace(result, metrics=metrics))
    if records:
        path.with_name(path.stem + RECORDS).write_text(records_of(result, scored))
    return Run(path)


class TestRecords:
    """Images of very different difficulty: intervals alone see nothing."""

    rng = np.random.default_rng(0)
    hard = rng.uniform(0.1, 0.8, 40)
    steady = hard + 0.02
    """Better by as much on each image."""
    noisy = np.clip(hard + rng.normal(0, 0.1, 40), 0, 1)
    """Now better, now worse."""

    def test_a_steady_gain_is_no_tie(self, tmp_path: Path, records_of) -> None:
        runs = [
            write_run(records_of, tmp_path, "a", self.hard),
            write_run(records_of, tmp_path, "b", self.steady),
        ]
        assert paired_tests(read_together(runs), Metric("mIoU", "overlap")) == {(0, 1): 1 / 1001}
        (board,) = make_boards(runs)
        assert [(e.label, show_ranks(e)) for e in board.entries] == [("b", "1"), ("a", "2")]
        assert "same images" in tie_rule(board)

    def test_a_difference_within_noise_is_a_tie(self, tmp_path: Path, records_of) -> None:
        runs = [
            write_run(records_of, tmp_path, "a", self.hard),
            write_run(records_of, tmp_path, "c", self.noisy),
        ]
        (board,) = make_boards(runs)
        assert {(e.label, show_ranks(e), e.ties) for e in board.entries} == {
            ("a", "1\u20132", ("c",)), ("c", "1\u20132", ("a",)),
        }  # fmt: skip

    @pytest.mark.parametrize("with_records", [True, False])
    def test_without_records_intervals_decide(
        self, tmp_path: Path, records_of, with_records: bool
    ) -> None:
        runs = [
            write_run(records_of, tmp_path, "a", self.hard),
            write_run(records_of, tmp_path, "b", self.steady, records=with_records),
        ]
        (board,) = make_boards(runs, records=not with_records)
        assert [show_ranks(e) for e in board.entries] == ["1\u20132", "1\u20132"]
        assert "from their intervals alone" in tie_rule(board)

    def test_equal_models_tie(self, tmp_path: Path, records_of) -> None:
        """Ten models that differ by chance alone; uncorrected, some pair would be apart."""
        hard = np.random.default_rng(7).uniform(0.2, 0.8, 30)
        runs = [
            write_run(
                records_of, tmp_path, f"m{i}",
                hard + np.random.default_rng([7, i]).normal(0, 0.05, 30),
            )
            for i in range(10)
        ]  # fmt: skip
        p = paired_tests(read_together(runs), Metric("mIoU", "overlap"))
        assert len(p) == 45
        assert min(p.values()) <= 0.05
        (board,) = make_boards(runs)
        assert {show_ranks(e) for e in board.entries} == {"1\u201310"}
        assert "Holm" in tie_rule(board)

    def test_runs_that_share_an_estimator_are_tested_as_each_two(
        self, tmp_path: Path, records_of, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runs = [
            write_run(records_of, tmp_path, name, values)
            for name, values in (("a", self.hard), ("b", self.noisy), ("c", self.hard[::-1].copy()))
        ]
        shared = paired_tests(read_together(runs), Metric("mIoU", "overlap"))
        task = type(runs[0].task)
        monkeypatch.setattr(
            task, "estimator", lambda self, records, of=task.estimator: of(self, records).one
        )
        assert paired_tests(read_together(runs), Metric("mIoU", "overlap")) == shared
        assert len(set(shared.values())) == 3

    def test_pairs_of_many_images_are_tested_at_once_as_one_by_one(
        self, tmp_path: Path, records_of
    ) -> None:
        rng = np.random.default_rng(3)
        values = [np.full(520, 0.5) + rng.normal(0.002 * i, 0.03, 520) for i in range(4)]
        runs = [write_run(records_of, tmp_path, f"m{i}", own) for i, own in enumerate(values)]
        records = [[line["record"] for line in run.lines()] for run in runs]
        both = {
            (i, j): runs[0].task.estimator([*records[i], *records[j]])
            for i, j in combinations(range(4), 2)
        }
        p = paired_tests(read_together(runs), Metric("mIoU", "overlap"))
        assert p == {
            pair: p_values(own, own, 520, swaps=swaps_for(6))["mIoU"] for pair, own in both.items()
        }
        assert len(set(p.values())) == 6

    def test_one_image_tells_nothing_of_noise(self, tmp_path: Path, records_of) -> None:
        (board,) = make_boards(
            [
                write_run(records_of, tmp_path, "a", np.array([0.1])),
                write_run(records_of, tmp_path, "b", np.array([0.9])),
            ]
        )
        assert [show_ranks(e) for e in board.entries] == ["1\u20132", "1\u20132"]
