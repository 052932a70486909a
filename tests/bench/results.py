"""Made-up results of a run, for the tests of what prints and draws them."""


def entry(name, ratios, group="training step", unit="us per step", missing=(), **more):
    share = more.get("of_roof")
    known = {"of_roof": None, "gflops": None, "intensity": None, "precision": "fp32"}
    values = {"initcore": 50.0, **{peer: 50.0 * ratio for peer, ratio in ratios.items()}}
    if share:
        values["roof"] = 50.0 * share
    return {
        **known,
        "group": group,
        "name": name,
        "unit": unit,
        "values": values,
        "ratios": ratios,
        "missing": list(missing),
        **more,
    }


def results():
    levels = [
        {"name": name, "size": size, "read": speed, "triad": speed, "update": speed}
        for name, size, speed in (
            ("L1", 1e4, 400.0),
            ("L2", 1e6, 200.0),
            ("L3", 3e7, 100.0),
            ("DRAM", 1e9, 30.0),
        )
    ]
    point = {"of_roof": 0.5, "gflops": 120.0, "intensity": 10.0}
    return {
        "machine": {
            "cpu": "Test CPU <1>",
            "load": 0.1,
            "isa": "any",
            "date": "2001-02-03",
            "libraries": {"NumPy": "1.2+x", "JAX": None, "Elsewhere": "3"},
        },
        "threads": 1,
        "roof": {
            "isa": "any",
            "threads": 1,
            "gflops": {"float32": 240.0, "float64": 120.0},
            "levels": levels,
        },
        "entries": [
            entry("784-128-10, batch 32", {"NumPy": 2.0, "Other": 30.0}, missing=["JAX"], **point),
            entry("20-32-16-2, batch 32", {"NumPy": 0.5}, missing=["JAX"], **point),
            entry("relu", {"NumPy": 4.0}, "activation", "ns per element"),
            entry("nothing installed", {}, "alone", "s"),
            entry("784-512-512-10, batch 128", {"initcore fp32": 1.7}, "in bf16", precision="bf16", **point),
        ],
    }
