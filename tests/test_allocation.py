"""A training step allocates nothing: seen by a counter in front of the C library's `malloc`."""

import os
import shutil
import subprocess
import sys

import pytest

COUNTER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
static long count;
long allocations(void) { return count; }
void *malloc(size_t n) {
  static void *(*real)(size_t);
  if (!real) real = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
  ++count;
  return real(n);
}
"""

SCRIPT = """
import ctypes, sys
import numpy as np
import initcore as ic
from initcore import _core

ic.set_num_threads(1)
count = ctypes.CDLL(sys.argv[1]).allocations
count.restype = ctypes.c_long
count.argtypes = []
rng = np.random.default_rng(0)
BATCHES = 200
for activation, optimizer, loss in [
    ("relu", "adam", "sparse_categorical_crossentropy"),
    ("gelu", "rmsprop", "categorical_crossentropy"),
    ("prelu", ic.optimizers.SGD(clipnorm=1.0), "mse"),
    ("softmax", ic.optimizers.Nadam(global_clipnorm=1.0), "huber"),
]:
    dense = ic.Dense(9, activation, kernel_regularizer="l2")
    hidden = [dense, ic.layers.BatchNormalization(), ic.layers.Dropout(0.5)]
    model = ic.Sequential([*hidden, ic.layers.Residual([ic.Dense(9)]), ic.Dense(3)], input_shape=(5,))
    model.compile(optimizer, loss, metrics=["accuracy"])
    x = rng.normal(size=(4 * BATCHES, 5)).astype("f4")
    y = rng.integers(0, 3, len(x)) if loss.startswith("sparse") else np.eye(3)[rng.integers(0, 3, len(x))]
    model.fit(x, y, batch_size=4, verbose=0)
    program = model._programs["train"][1]
    data = model._prepare(x, y)
    rates = np.full(BATCHES, 1e-3)

    def allocated(batches):
        segments = ["gather", "forward", "loss", "metrics", "backward", "update"]
        program.plan.core.start(segments, len(x), inputs=data.inputs(), learning_rates=rates, step=1)
        before = count()
        assert program.plan.core.advance(batches, 60.0) == batches
        return count() - before

    allocated(1)
    print(allocated(BATCHES) - allocated(1))
"""


def test_a_step_allocates_nothing(tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler and Linux, to put a counter before malloc")
    library = tmp_path / "counter.so"
    (tmp_path / "counter.c").write_text(COUNTER)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", library, tmp_path / "counter.c", "-ldl"], check=True, timeout=60
    )
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, library],
        env=os.environ | {"LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert [int(line) for line in run.stdout.split()] == [0] * 4
