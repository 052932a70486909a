"""A made-up comparison with every kind of outcome, for the tests of verdicts, tables and pages."""

import math

from initcore.comparison import Comparison
from initcore.runs import Run, Scheme

SETTINGS = {
    "vary": "initializer",
    "dataset": "digits",
    "source": "made up",
    "scaling": "none",
    "task": "classification",
    "train_rows": 100,
    "test_rows": 400,
    "network": "64-8-8-10",
    "activation": "relu",
    "initializer": "varied",
    "optimizer": "Adam()",
    "loss": "sparse_categorical_crossentropy",
    "score": "accuracy",
    "chance": 0.1,
    "epochs": 3,
    "batch_size": 32,
    "seeds": [0, 1, 2],
    "initcore": "0",
    "isa": "none",
    "numpy": "0",
    "python": "0",
    "seconds": 1.0,
    "jobs": 2,
}


def run(
    seed, final=0.9, *, loss=(1.0, 0.5, 0.2), signal=(1, 1, 1, 1), gradient=(1, 1, 1), distinct=8, dead=0.0
):
    return Run(
        seed=seed,
        loss=loss,
        test_loss=loss,
        score=(final / 3, final / 2, final),
        signal=tuple(map(float, signal)),
        gradient=tuple(map(float, gradient)),
        units=(8, 8),
        distinct=(distinct, distinct),
        dead=(dead, dead),
        rmse=None,
        seconds=0.1,
    )


def scheme(label, finals=(0.89, 0.90, 0.91), **what):
    return Scheme(label, f"{label}()", tuple(run(seed, final, **what) for seed, final in enumerate(finals)))


def comparison(*schemes, target=0.8, **settings):
    return Comparison(tuple(schemes), {**SETTINGS, **settings}, target)


NAN = (2.0, math.nan, math.inf)

EVERY_KIND = comparison(
    scheme("zeros", (0.1, 0.1, 0.1), signal=(1, 0, 0, 0), gradient=(0, 0, 1), distinct=1),
    scheme("constant", (0.1, 0.1, 0.1), signal=(1, 2, 3, 4), distinct=1),
    scheme("tiny", (0.5, 0.51, 0.49), signal=(1, 1e-4, 1e-8, 1e-12), gradient=(1e-12, 1e-6, 1)),
    scheme("huge", (0.6, 0.61, 0.59), signal=(1, 1e3, 1e6, 1e9), gradient=(1e9, 1e3, 1)),
    scheme("diverges", (0.1, 0.1, 0.1), loss=NAN),
    scheme("half dead", (0.7, 0.71, 0.69), dead=0.5),
    scheme("good"),
    scheme("as good", (0.885, 0.905, 0.9)),
)
