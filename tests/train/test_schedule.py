"""Learning-rate schedules: their values at known places."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.config.options import TrainConfig
from utils.train.optimizer import schedule_factor, scheduled_rate, warn_on_schedule_change

TOTAL = 100


def factors(total: int = TOTAL, **options) -> list[float]:
    return [schedule_factor(TrainConfig(**options), step, total) for step in range(total)]


def told(caplog, before: TrainConfig, after: TrainConfig, epochs: tuple[int, int]) -> list[str]:
    """What a training says that is resumed at step 80 with other options, 10 steps an epoch."""
    caplog.clear()
    caplog.set_level("INFO")
    old, new = (10 * count for count in epochs)
    warn_on_schedule_change(after, 80, new, scheduled_rate(before, 79, old))
    return caplog.messages


def test_a_rate_that_jumps_when_it_is_resumed_is_told(caplog):
    cosine = TrainConfig(lr=0.5, schedule="cosine")
    assert not told(caplog, cosine, cosine, (10, 10))
    (line,) = told(caplog, cosine, cosine, (8, 16))
    assert line.startswith("the learning rate was 0.000193 and goes on at 0.25: ")
    constant = TrainConfig(lr=0.5)
    assert not told(caplog, constant, constant, (8, 16))
    assert "was 0.5 and goes on at 0.1" in told(caplog, constant, TrainConfig(lr=0.1), (8, 9))[0]
    assert not told(caplog, cosine, constant, (8, 8))  # at its end there is no next step


def test_constant_is_one_everywhere_and_step_falls_at_each_milestone():
    assert set(factors()) == {1.0}
    found = factors(schedule="step", milestones=(0.8, 0.5), decay=0.1)
    assert found == pytest.approx([1.0] * 50 + [0.1] * 30 + [0.01] * 20)


def test_cosine_falls_from_one_through_a_half_to_almost_zero():
    found = factors(schedule="cosine")
    assert found[0] == 1
    assert found[25] == pytest.approx(0.5 + 0.5 * 2**-0.5)
    assert found[50] == pytest.approx(0.5)
    assert 0 < found[-1] < 0.001
    assert found == sorted(found, reverse=True)


def test_warm_up_rises_in_equal_steps_from_above_zero():
    found = factors(warmup=0.2)
    assert found[:20] == pytest.approx([(step + 1) / 21 for step in range(20)])
    assert found[20:] == [1.0] * 80


SCHEDULE = st.sampled_from(["constant", "step", "cosine"])


@given(schedule=SCHEDULE, warmup=st.floats(0, 0.999), total=st.integers(1, 60))
def test_no_factor_is_negative_or_above_one(schedule, warmup, total):
    assert all(0 < value <= 1 for value in factors(total, schedule=schedule, warmup=warmup))


@given(schedule=SCHEDULE, warmup=st.floats(0.03, 0.34), total=st.integers(40, 400))
def test_warm_up_ends_without_a_jump(schedule, warmup, total):
    found = factors(total, schedule=schedule, warmup=warmup)
    end = next(step for step in range(total) if step / total >= warmup)
    assert found[:end] == sorted(found[:end])
    assert found[end] == pytest.approx(1, abs=0.005)
    assert abs(found[end] - found[end - 1]) <= 1 / (warmup * total + 1) + 1e-9
