"""The experiment: the known shape of the answers, found again; and that nothing but the arguments matters."""

import dataclasses
import math
import threading

import numpy as np
import pytest

import initcore as ic
from initcore import candidates
from initcore.datasets import Dataset

SMALL = {"layers": (16,), "epochs": 2, "seeds": 2}


def facts(result):
    """Everything but the time."""
    return [[dataclasses.replace(run, seconds=0) for run in scheme.runs] for scheme in result.schemes]


@pytest.fixture(scope="module")
def digits():
    return ic.compare(epochs=8, seeds=3)


def test_equal_weights_stay_at_chance_and_good_starts_learn(digits):
    chance = digits.settings["chance"]
    for label in ("zeros", "constant:0.1"):
        assert digits[label].symmetric and digits[label].score.mean < chance + 0.05
    for label in ("glorot_uniform", "he_normal", "orthogonal", "auto"):
        assert digits[label].score.mean > 0.9 and not digits[label].symmetric
        assert all(run.distinct == run.units for run in digits[label].runs)


def test_the_default_network_tells_good_scales_from_bad(digits):
    signal = {label: digits[label].by_layer("signal") for label in ("normal:0.01", "normal:1", "he_normal")}
    assert signal["normal:0.01"][-1] < 1e-6 * signal["normal:0.01"][0]
    assert signal["normal:1"][-1] > 1e6 * signal["normal:1"][0]
    assert 0.1 < signal["he_normal"][-2] / signal["he_normal"][0] < 10
    worst = max(digits[label].score.mean for label in ("normal:0.01", "normal:1"))
    assert worst < digits["he_normal"].score.mean - 0.05


def test_zeros_gets_no_signal_and_no_gradient(digits):
    assert not any(digits["zeros"].by_layer("signal")[1:])
    assert not any(digits["zeros"].by_layer("gradient")[:-1])


def test_the_verdict_names_them(digits):
    text = " ".join(digits.verdict)
    assert "zeros and constant:0.1" in text and "%" in text


def test_signal_and_gradient_are_those_of_the_chain_rule():
    data = ic.datasets.digits()
    result = ic.compare(data, (16, 8), "tanh", ["normal:0.3"], seeds=1, epochs=1)
    init = candidates.make("initializer", "normal:0.3")
    layers = [
        ic.Dense(n, activation=f, kernel_initializer=init) for n, f in ((16, "tanh"), (8, "tanh"), (10, None))
    ]
    kernels = list(ic.Sequential(layers, input_shape=(64,), seed=0).parameters.values())[::2]
    h = [data.x_train[:256].astype(np.float64)]
    for kernel in kernels[:-1]:
        h.append(np.tanh(h[-1] @ kernel))
    h.append(h[-1] @ kernels[-1])
    p = np.exp(h[-1]) / np.exp(h[-1]).sum(axis=1, keepdims=True)
    dz = [(p - np.eye(10)[data.y_train[:256]]) / 256]
    for kernel, y in zip(kernels[:0:-1], h[-2:0:-1], strict=True):
        dz.insert(0, dz[0] @ kernel.T * (1 - y**2))
    run = result.schemes[0].runs[0]
    assert run.signal == pytest.approx([x.var() for x in h], rel=1e-4)
    assert run.gradient == pytest.approx([x.var() for x in dz], rel=1e-4)


def test_a_run_is_what_fit_would_have_done():
    data = ic.datasets.digits()
    result = ic.compare(data, (16,), "relu", ["he_normal"], epochs=2, seeds=[3], batch_size=50)
    he = "he_normal"
    model = ic.Sequential(
        [ic.Dense(16, activation="relu", kernel_initializer=he), ic.Dense(10, kernel_initializer=he)],
        input_shape=(64,),
        seed=3,
    )
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    history = model.fit(
        data.x_train, data.y_train, 50, 2, verbose=0, validation_data=(data.x_test, data.y_test)
    ).history
    run = result["he_normal"].runs[0]
    assert (
        run.seed == 3 and run.loss == tuple(history["loss"]) and run.score == tuple(history["val_accuracy"])
    )


def test_results_do_not_depend_on_the_number_of_jobs_or_threads():
    threads = ic.get_num_threads()
    one = ic.compare(**SMALL, n_jobs=1)
    assert facts(one) == facts(ic.compare(**SMALL, n_jobs=3))
    assert ic.get_num_threads() == threads


def test_seeds_matter_and_can_be_named():
    result = ic.compare(schemes=["he_normal"], **{**SMALL, "seeds": [5, 2]})
    first, second = result.schemes[0].runs
    assert (first.seed, second.seed) == (5, 2) and first.loss != second.loss
    alone = ic.compare(schemes=["zeros", "he_normal"], **{**SMALL, "seeds": [2]})
    assert alone["he_normal"].runs[0].loss == second.loss


def test_optimizers_and_activations_can_be_varied():
    optimizers = ic.compare(vary="optimizer", **SMALL)
    assert [one.label for one in optimizers.schemes] == list(candidates.VARIED["optimizer"].default)
    assert len({one.loss.mean for one in optimizers.schemes}) == len(optimizers.schemes)
    shapes = ic.compare(vary="activation", schemes=["relu", ("leaky", "leaky_relu:0.3"), "gelu"], **SMALL)
    assert shapes["leaky"].loss.mean != shapes["relu"].loss.mean


def test_binary_and_regression_have_their_scores():
    binary = ic.compare(ic.datasets.teacher(features=20, task="binary"), (32, 16), epochs=20, seeds=2)
    assert binary["zeros"].score.mean < 0.6 < 0.75 < binary["he_normal"].score.mean
    data = ic.datasets.teacher(400)
    regression = ic.compare(data, (16,), schemes=["zeros", "he_normal"], epochs=30, seeds=2)
    good = regression["he_normal"]
    assert regression["zeros"].score.mean < 0.1 < 0.4 < good.score.mean
    for run in good.runs:
        # R2 = 1 - sum of squared errors / sum of squared distances from the mean
        assert 1 - run.rmse**2 / data.y_test.var() == pytest.approx(run.score[-1], abs=1e-4)
    assert "R2" in " ".join(regression.columns())


def test_a_robust_loss_helps_against_outliers():
    data = ic.datasets.regression_with_outliers(400, outliers=0.3)
    common = {"layers": (8,), "schemes": ["he_normal"], "epochs": 40, "seeds": 2}
    squared, huber = (ic.compare(data, loss=loss, **common).schemes[0] for loss in (None, "huber"))
    assert huber.score.mean > squared.score.mean


def test_a_start_that_overflows_is_a_result():
    with np.errstate(all="raise"):
        result = ic.compare(schemes=["normal:1e20", "he_normal"], **SMALL)
    assert not result["normal:1e20"].finite and result["he_normal"].finite
    assert "not finite" in result.verdicts["normal:1e20"] and result.table()
    assert math.isfinite(result.target)


def test_no_hidden_layer_is_a_linear_model():
    result = ic.compare(layers=(), schemes=["zeros", "glorot_uniform"], epochs=5, seeds=2)
    assert result["zeros"].score.mean > 0.8 and not result["zeros"].symmetric


def test_bytes_train_as_their_share_of_255():
    digits = ic.datasets.digits()
    as_bytes = [np.round(x * 255).astype(np.uint8) for x in (digits.x_train, digits.x_test)]
    common = {
        "y_train": digits.y_train,
        "y_test": digits.y_test,
        "task": "classification",
        "name": "d",
        "source": "",
    }
    raw = Dataset(x_train=as_bytes[0], x_test=as_bytes[1], **common)
    scaled = Dataset(
        x_train=(as_bytes[0] / 255).astype(np.float32),
        x_test=(as_bytes[1] / 255).astype(np.float32),
        **common,
    )
    one, two = (ic.compare(data, schemes=["he_normal"], **SMALL).schemes[0].runs[0] for data in (raw, scaled))
    assert one.signal == pytest.approx(two.signal, rel=1e-5) and one.loss == pytest.approx(two.loss, rel=1e-3)


def test_progress_counts_to_the_end_in_the_calling_thread():
    seen = []
    ic.compare(
        schemes=["zeros", "auto"], **SMALL, progress=lambda *what: seen.append((threading.get_ident(), *what))
    )
    assert [(done, total) for _, done, total, _ in seen] == [(i, 4) for i in (1, 2, 3, 4)]
    assert {thread for thread, *_ in seen} == {threading.get_ident()}


def test_verbose_counts_on_standard_error_and_silence_is_silent(capsys):
    ic.compare(schemes=["zeros"], **SMALL, verbose=1)
    seen = capsys.readouterr()
    assert "2/2" in seen.err and seen.out == ""
    ic.compare(schemes=["zeros"], **SMALL)
    assert capsys.readouterr() == ("", "")


def test_an_interruption_ends_the_training_and_restores_the_threads():
    threads = ic.get_num_threads()

    def interrupt(*what):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ic.compare(**SMALL, progress=interrupt)
    assert ic.get_num_threads() == threads
    assert not [one for one in threading.enumerate() if one.name.startswith("initcore-compare")]


def test_target_is_as_given_or_between_chance_and_the_best(digits):
    assert digits.settings["chance"] < digits.target < max(one.score.mean for one in digits.schemes)
    assert ic.compare(schemes=["zeros"], **SMALL, target=0.5).target == 0.5


@pytest.mark.parametrize(
    "bad, error, match",
    [
        ({"dataset": "digit"}, ValueError, "Did you mean 'digits'"),
        ({"layers": (0,)}, ValueError, "units"),
        ({"activation": "Relu"}, ValueError, "Did you mean 'relu'"),
        ({"optimizer": "adm"}, ValueError, "Did you mean 'adam'"),
        ({"initializer": "he_norml"}, ValueError, "Did you mean"),
        ({"loss": "mean_square_error"}, ValueError, "Did you mean"),
        ({"epochs": 0}, ValueError, "epochs"),
        ({"batch_size": 1.5}, TypeError, "batch_size"),
        ({"seeds": 0}, ValueError, "seeds"),
        ({"seeds": []}, ValueError, "seeds"),
        ({"seeds": [1, 1]}, ValueError, "seeds"),
        ({"n_jobs": 0}, ValueError, "n_jobs"),
        ({"target": float("nan")}, ValueError, "target"),
        ({"folder": "somewhere"}, ValueError, "takes no folder"),
    ],
)
def test_wrong_arguments_get_a_sentence(bad, error, match):
    with pytest.raises(error, match=match):
        ic.compare(**bad)
