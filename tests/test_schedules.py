"""Every schedule against its formula, and against the live PyTorch and Keras."""

import dataclasses
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from initcore import schedules
from initcore.schedules import (
    Constant,
    CosineDecay,
    CosineDecayRestarts,
    CyclicLR,
    ExponentialDecay,
    InverseTimeDecay,
    OneCycle,
    PiecewiseConstant,
    PolynomialDecay,
    StepDecay,
    Warmup,
)


def restarts(step, length, t_mul):
    """How many whole runs ended before ``step``, and how far the present one has come: by walking."""
    run, start = 0, 0
    while step >= start + length * t_mul**run:
        start += length * t_mul**run
        run += 1
    return run, (step - start) / (length * t_mul**run)


def restarted(s):
    run, fraction = restarts(s, 7, 2)
    return 0.2 * (0.9 * 0.8**run * (1 + math.cos(math.pi * fraction)) / 2 + 0.1)


def triangle(s):
    position = s % 10
    return position / 4 if position <= 4 else (10 - position) / 6


# One of every kind, and its formula in plain Python for one step.
FORMULAS = [
    (Constant(0.1), lambda s: 0.1),
    (StepDecay(0.1, 7, 0.5), lambda s: 0.1 * 0.5 ** (s // 7)),
    (PiecewiseConstant([5, 9], [1, 2, 3]), lambda s: 1.0 if s <= 5 else 2.0 if s <= 9 else 3.0),
    (ExponentialDecay(0.1, 10, 0.5), lambda s: 0.1 * 0.5 ** (s / 10)),
    (ExponentialDecay(0.1, 10, 0.5, staircase=True), lambda s: 0.1 * 0.5 ** (s // 10)),
    (InverseTimeDecay(0.1, 10, 0.5), lambda s: 0.1 / (1 + 0.5 * s / 10)),
    (InverseTimeDecay(0.1, 10, 0.5, staircase=True), lambda s: 0.1 / (1 + 0.5 * (s // 10))),
    (PolynomialDecay(1.0, 20, 0.1, 2.0), lambda s: 0.9 * (1 - min(s, 20) / 20) ** 2 + 0.1),
    (
        PolynomialDecay(1.0, 20, 0.1, cycle=True),
        lambda s: 0.9 * (1 - s / (20 * max(1, math.ceil(s / 20)))) + 0.1,
    ),
    (CosineDecay(0.2, 40, 0.1), lambda s: 0.2 * (0.9 * (1 + math.cos(math.pi * min(s / 40, 1))) / 2 + 0.1)),
    (
        CosineDecay(0.1, 40, warmup_target=0.5, warmup_steps=4),
        lambda s: 0.1 + 0.1 * s if s < 4 else 0.5 * (1 + math.cos(math.pi * min((s - 4) / 40, 1))) / 2,
    ),
    (CosineDecayRestarts(0.2, 7, 2.0, 0.8, 0.1), restarted),
    (CosineDecayRestarts(1.0, 7, 1.0), lambda s: (1 + math.cos(math.pi * (s % 7) / 7)) / 2),
    (CyclicLR(0.1, 0.5, 4, 6), lambda s: 0.1 + 0.4 * triangle(s)),
    (CyclicLR(0.1, 0.5, 4, 6, "triangular2"), lambda s: 0.1 + 0.4 * triangle(s) / 2 ** (s // 10)),
    (CyclicLR(0.1, 0.5, 4, 6, "exp_range", 0.9), lambda s: 0.1 + 0.4 * triangle(s) * 0.9**s),
    (
        OneCycle(1.0, 20, 0.25, 10.0, 100.0, "linear"),
        lambda s: 0.1 + 0.9 * s / 4 if s <= 4 else 1 + (0.001 - 1) * (s - 4) / 15 if s <= 19 else 0.1 / 100,
    ),
    (
        Warmup(StepDecay(0.1, 7, 0.5), 5, 0.2),
        lambda s: 0.02 + 0.016 * s if s < 5 else 0.1 * 0.5 ** ((s - 5) // 7),
    ),
]
every_schedule = pytest.mark.parametrize("schedule", [s for s, _ in FORMULAS], ids=repr)


def test_every_schedule_has_a_formula():
    assert {type(s) for s, _ in FORMULAS} == {schedules._SCHEDULES[name] for name in schedules.names()}


@pytest.mark.parametrize(("schedule", "formula"), FORMULAS, ids=[repr(s) for s, _ in FORMULAS])
def test_rates_are_the_formula(schedule, formula):
    steps = np.arange(200)
    assert_allclose(schedule(steps), [formula(int(s)) for s in steps], rtol=1e-12, atol=1e-15)


@every_schedule
def test_an_array_gives_what_its_elements_give(schedule):
    steps = np.array([[0, 1, 2], [30, 31, 1_000_000]])
    rates = schedule(steps)
    assert rates.shape == steps.shape and rates.dtype == np.float64
    assert_array_equal(rates, [[schedule(int(s)) for s in row] for row in steps])
    assert isinstance(schedule(3), float)
    assert schedule(np.arange(0)).shape == (0,)
    assert np.isfinite(rates).all() and (rates >= 0).all()


@every_schedule
def test_a_negative_step_is_refused(schedule):
    with pytest.raises(ValueError, match="step must be at least 0"):
        schedule(-1)


@every_schedule
def test_arguments_out_of_range_are_refused(schedule):
    for field in dataclasses.fields(schedule):
        if isinstance(getattr(schedule, field.name), bool | tuple | str):
            continue
        bad = "x" if isinstance(getattr(schedule, field.name), schedules.Schedule) else -1
        with pytest.raises(ValueError):
            dataclasses.replace(schedule, **{field.name: bad})


def test_wrong_combinations_are_refused():
    with pytest.raises(ValueError, match="warmup_target"):
        CosineDecay(0.1, 10, warmup_steps=3)
    with pytest.raises(ValueError, match="one element more"):
        PiecewiseConstant([1], [1])
    with pytest.raises(ValueError, match="rise"):
        PiecewiseConstant([2, 1], [1, 1, 1])
    with pytest.raises(ValueError, match="Did you mean 'triangular2'"):
        CyclicLR(0.1, 0.2, mode="triangular-2")
    with pytest.raises(ValueError, match="anneal"):
        OneCycle(0.1, 10, anneal="cosine")


def test_names_numbers_and_schedules_are_understood():
    assert schedules.get(0.5) == Constant(0.5)
    assert schedules.get("step_decay", initial_learning_rate=1.0, step_size=3) == StepDecay(1.0, 3)
    schedule = StepDecay(1.0, 3)
    assert schedules.get(schedule) is schedule
    with pytest.raises(ValueError, match="Did you mean 'cosine_decay'") as error:
        schedules.get("CosineDecay")
    assert all(repr(name) in str(error.value) for name in schedules.names())


STEPS = 200


def torch_rates(make, initial):
    torch = pytest.importorskip("torch", reason="compares with a live PyTorch")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=initial)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    rates = []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.peers
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (StepDecay(0.1, 30), lambda s, o: s.StepLR(o, 30)),
        (PiecewiseConstant([49, 99], [0.1, 0.01, 0.001]), lambda s, o: s.MultiStepLR(o, [50, 100])),
        (ExponentialDecay(0.1, 1, 0.98), lambda s, o: s.ExponentialLR(o, 0.98)),
        (PolynomialDecay(0.1, 150, 0.0, 2.0), lambda s, o: s.PolynomialLR(o, 150, 2.0)),
        (CosineDecay(0.1, 200, 0.1), lambda s, o: s.CosineAnnealingLR(o, 200, 0.01)),
        (CosineDecayRestarts(0.1, 20), lambda s, o: s.CosineAnnealingWarmRestarts(o, 20, 2)),
        (CosineDecayRestarts(0.1, 30, t_mul=1.0), lambda s, o: s.CosineAnnealingWarmRestarts(o, 30)),
        *(
            (
                CyclicLR(0.1, 0.5, 15, 25, mode, 0.99),
                lambda s, o, mode=mode: s.CyclicLR(o, 0.1, 0.5, 15, 25, mode, 0.99, cycle_momentum=False),
            )
            for mode in ("triangular", "triangular2", "exp_range")
        ),
        *(
            (
                OneCycle(0.5, STEPS + 1, anneal=anneal, three_phase=phases),
                lambda s, o, anneal=anneal, phases=phases: s.OneCycleLR(
                    o, 0.5, STEPS + 1, anneal_strategy=anneal, three_phase=phases, cycle_momentum=False
                ),
            )
            for anneal in ("cos", "linear")
            for phases in (False, True)
        ),
        (
            Warmup(ExponentialDecay(0.1, 1, 0.98), 20, 0.25),
            lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.25, 1.0, 20), s.ExponentialLR(o, 0.98)], [20]),
        ),
    ],
    ids=lambda value: repr(value) if isinstance(value, schedules.Schedule) else "",
)
def test_agrees_with_torch(ours, theirs):
    assert_allclose(ours(np.arange(STEPS)), torch_rates(theirs, 0.1), rtol=1e-10, atol=1e-12)


@pytest.mark.peers
@pytest.mark.parametrize(
    ("ours", "name"),
    [
        (PiecewiseConstant([50, 100], [0.1, 0.01, 0.001]), "PiecewiseConstantDecay"),
        (ExponentialDecay(0.1, 30, 0.5), "ExponentialDecay"),
        (ExponentialDecay(0.1, 30, 0.5, True), "ExponentialDecay"),
        (InverseTimeDecay(0.1, 30, 0.5), "InverseTimeDecay"),
        (InverseTimeDecay(0.1, 30, 0.5, True), "InverseTimeDecay"),
        (PolynomialDecay(0.1, 30, 0.01, 2.0), "PolynomialDecay"),
        (PolynomialDecay(0.1, 30, cycle=True), "PolynomialDecay"),
        (CosineDecay(0.1, 150, 0.1), "CosineDecay"),
        (CosineDecay(0.0, 150, 0.1, 0.5, 20), "CosineDecay"),
        (CosineDecayRestarts(0.1, 32, 2.0, 0.9, 0.1), "CosineDecayRestarts"),
        (CosineDecayRestarts(0.1, 32, 1.0), "CosineDecayRestarts"),
    ],
    ids=repr,
)
def test_agrees_with_keras(ours, name, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "numpy")
    keras = pytest.importorskip("keras", reason="compares with a live Keras")
    settings = {f.name: getattr(ours, f.name) for f in dataclasses.fields(ours)}
    if name == "PiecewiseConstantDecay":
        settings = {key: list(value) for key, value in settings.items()}
    theirs = getattr(keras.optimizers.schedules, name)(**settings)
    wanted = [float(theirs(step)) for step in range(STEPS)]
    assert_allclose(ours(np.arange(STEPS)), wanted, rtol=2e-5, atol=1e-7)  # Keras computes in float32
