"""The matrix product in the shapes and layouts of training, beside NumPy's and PyTorch's."""

from dataclasses import replace
from itertools import product
from statistics import geometric_mean, median
from textwrap import wrap

import pytest

from initcore.bench import entries, interleaved
from initcore.bench.tables import aligned, percent, times

# m, n, k. Whole networks are in bench_training.py, where bias and activation ride along for nothing.
SHAPES = [(32, 128, 784), (64, 64, 128), (784, 128, 32), (128, 512, 512), (256, 256, 256)]
SHAPES += [(1024, 1024, 1024), (2048, 2048, 2048)]


@pytest.mark.parametrize("layout", ["nn", "nt", "tn"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def bench_matmul(measure, shape, layout, threads):
    measure(entries.product(layout, *shape, threads))


@pytest.mark.parametrize("layout", ["nn", "nt", "tn"])
def bench_matmul_float64(measure, layout, threads):
    measure(entries.product(layout, 256, 256, 256, threads, "float64"))


# From 1 up: around vectors and tiles, few rows, few columns, long ones.
CUBES = [1, 2, 4, 8, 16, 17, 24, 32, 48, 64, 65, 96, 100, 128, 130, 192, 200, 256, 258, 384, 512]
THIN = [(1, 64, 64), (1, 784, 128), (1, 128, 784), (1, 1024, 1024), (2, 512, 512), (4, 256, 1024)]
THIN += [(8, 128, 784), (32, 1, 128), (32, 10, 128), (784, 8, 64), (784, 10, 64), (1000, 3, 50)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", ["nn", "nt", "tn"])
@pytest.mark.parametrize(
    "shape", [(n, n, n) for n in CUBES] + THIN, ids=lambda shape: "x".join(map(str, shape))
)
def bench_every_size(measure, shape, layout, dtype, threads):
    entry = entries.product(layout, *shape, threads, dtype)
    measure(replace(entry, group=f"{entry.group}, every size ({layout})"), seconds=0.1)


# All forms of these sizes: one number, parts of vectors and tiles, whole ones, layers.
SIZES = [1, 2, 3, 5, 8, 10, 16, 17, 32, 50, 100, 256, 512, 784, 1024]
SLOWER = 0.995  # what prints as 1.00x is not
LARGEST = 3e7  # multiply-adds: the largest products are in the other benchmarks


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", ["nn", "nt", "tn"])
def bench_forms(benchmark, note, layout, dtype, threads):
    """Beside NumPy, each form in turns with it for some thousandths of a second: in which are we slower?

    Of thousands, some come out slower by chance alone: those are measured anew, for longer.
    """
    benchmark.group = "products of all forms"
    sizes = SIZES if benchmark.enabled else [1, 3, 17]

    def ratio(form, seconds):
        m, n, k = form
        entry = entries.product(layout, m, n, k, threads, dtype, work=min(2e5, 200 * m * n * k))
        alone = replace(entry, peers={"NumPy": entry.peers["NumPy"]}, roof=None)
        return interleaved.measure(alone, seconds if benchmark.enabled else 0.0).ratios["NumPy"]

    ratios, again = {}, {}

    def sweep():
        forms = [(m, n, k) for m, n, k in product(sizes, sizes, sizes) if m * n * k <= LARGEST]
        ratios.update((form, ratio(form, 0.003)) for form in forms)
        again.update((form, ratio(form, 0.3)) for form in forms if ratios[form] < SLOWER)

    benchmark.pedantic(sweep, rounds=1)
    ratios |= again
    slower = sorted((form for form in ratios if ratios[form] < SLOWER), key=ratios.get)
    told = {
        "what": f"{dtype}, {layout}",
        "forms": len(ratios),
        "ratio": geometric_mean(ratios.values()),
        "least": min(ratios.values()),
        "seemed_slower": len(again),
        "slower": [f"{'x'.join(map(str, form))} {times(ratios[form])}" for form in slower],
    }
    benchmark.extra_info |= told
    head = (
        f"{told['what']}: {told['forms']} forms, NumPy {times(told['ratio'])}, least {times(told['least'])}"
    )
    seemed = f"of {len(again)} that seemed slower {len(slower)} are"
    note(["", *wrap(f"{head}; {seemed}: {', '.join(told['slower'][:12]) or 'none'}", 118)])


# All of training: what a dense layer multiplies forwards, for its input's gradient, for its kernel's.
BATCHES = [32, 64, 128, 256]
WIDTHS = [64, 128, 256, 512, 784, 1024]
LAYER = {
    "nn": lambda batch, inputs, outputs: (batch, outputs, inputs),
    "nt": lambda batch, inputs, outputs: (batch, inputs, outputs),
    "tn": lambda batch, inputs, outputs: (inputs, outputs, batch),
}
WORK = 1e7  # operations of a call: starting a plan shall not count
AIM = 0.75  # of the peak, at each of them


@pytest.mark.parametrize("layout", LAYER)
def bench_sweep(benchmark, note, layout, threads):
    """Batch by width by width, each in turns with the others; pytest-benchmark times all of them once.

    Beside the others as called from Python, as they are; beside the peak in a plan, as in a training step.
    """
    benchmark.group = "products of training"
    shapes = list(product(BATCHES, WIDTHS, WIDTHS)) if benchmark.enabled else [(32, 64, 64), (64, 64, 128)]
    results = {}

    def sweep():
        for shape in shapes:
            form = LAYER[layout](*shape)
            entry = entries.product(layout, *form, threads, work=WORK, in_plan=True)
            results[shape] = interleaved.measure(entry, 0.1 if benchmark.enabled else 0.0, at_least=5)

    benchmark.pedantic(sweep, rounds=1)
    if not benchmark.enabled:
        return
    told = {batch: summary([results[shape] for shape in shapes if shape[0] == batch]) for batch in BATCHES}
    whole = {"layout": layout, "aim": AIM, **summary(list(results.values()))}
    benchmark.extra_info |= whole
    head = [f"{layout}, batch", "of peak", "least", f"below {percent(AIM)}"]
    head += [word for peer in whole["ratios"] for word in (peer, "least", "slower")]
    note(["", *aligned([head, *(cells(name, one) for name, one in [*told.items(), ("all", whole)])])])
    for kind in ("below", "slower"):
        note(wrap(f"{kind}: {', '.join(whole[kind])}", 118) if whole[kind] else [])


def summary(results):
    """Return geometric means, the least, and the names of those below the aim or slower than NumPy."""
    share = {
        result.name: median(one[interleaved.ROOF] / one[entries.IN_PLAN] for one in result.turns)
        for result in results
    }
    peers = results[0].ratios.keys() - {entries.IN_PLAN}
    ratios = {peer: {result.name: result.ratios[peer] for result in results} for peer in sorted(peers)}
    below = {name: value for name, value in share.items() if value < AIM}
    slower = {name: value for name, value in ratios["NumPy"].items() if value < SLOWER}
    return {
        "products": len(results),
        "of_roof": geometric_mean(share.values()),
        "least_of_roof": min(share.values()),
        "ratios": {peer: geometric_mean(found.values()) for peer, found in ratios.items()},
        "least_ratios": {peer: min(found.values()) for peer, found in ratios.items()},
        "slower_than": {
            peer: sum(value < SLOWER for value in found.values()) for peer, found in ratios.items()
        },
        "below": [f"{name} {100 * below[name]:.1f} %" for name in sorted(below, key=below.get)],
        "slower": [f"{name} {times(slower[name])}" for name in sorted(slower, key=slower.get)],
    }


def cells(name, found):
    """Return a row of the table."""
    row = [str(name), percent(found["of_roof"]), percent(found["least_of_roof"]), str(len(found["below"]))]
    for peer, ratio in found["ratios"].items():
        row += [times(ratio), times(found["least_ratios"][peer]), str(found["slower_than"][peer])]
    return row
