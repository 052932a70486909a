"""How many instructions a training step takes, counted by callgrind: a regression is seen without a clock.

    python bench/instructions.py           # count and compare with instructions.json; exit code 1 if more
    python bench/instructions.py --write   # count and renew the file

The counts are of x86-64-v3, the best that valgrind runs, and of one compiler: another is not compared.
An epoch's own work is shared by its steps. To add a step: a row of STEPS.
"""

import ctypes
import gc
import json
import mmap
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ISA = "x86_64_v3"
FILE = Path(__file__).with_name("instructions.json")
TOLERANCE = 0.02  # the addresses of arrays move a few branches

# Beside the facts of a Workload: how many steps are counted. Valgrind does multiply-adds one by one.
STEPS = {
    "784-128-10, batch 32, relu, adam": (4, {"widths": (784, 128, 10), "batch": 32}),
    "784-128-64-10, batch 64, tanh, rmsprop": (
        4,
        {"widths": (784, 128, 64, 10), "batch": 64, "activation": "tanh", "optimizer": "rmsprop"},
    ),
    "20-32-16-2, batch 32, normalized, dropout, sgd": (
        64,
        {"widths": (20, 32, 16, 2), "batch": 32, "normalization": True, "dropout": 0.2, "optimizer": "sgd"},
    ),
}

# What valgrind takes for a message: four rotations that do nothing, and an exchange of a register with itself
# (VALGRIND_DO_CLIENT_REQUEST in valgrind.h, for x86-64). The argument points to the message, a number first.
TELL = bytes.fromhex(
    "48 89 f8  31 d2  48 c1 c7 03  48 c1 c7 0d  48 c1 c7 3d  48 c1 c7 33  48 87 db  48 89 d0  c3"
)
DUMP, START, STOP = ((ord("C") << 24) + (ord("T") << 16) + number for number in (0, 4, 5))  # of callgrind.h


def teller():
    """Return a function that gives callgrind a message."""
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(TELL)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    function = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p)(address)
    message = (ctypes.c_size_t * 6)()

    def tell(number, _=memory):
        message[0] = number
        function(ctypes.addressof(message))

    return tell


def train():
    """Run in a process of its own, under callgrind: an epoch of each, of which a file of its own tells."""
    from initcore.bench.in_initcore import Initcore
    from initcore.bench.networks import Workload

    tell = teller()
    gc.disable()
    for steps, facts in STEPS.values():
        made = Initcore(Workload(**facts, rows=steps * facts["batch"]), 1)
        made.run(1)
        tell(START)
        made.run(1)
        tell(DUMP)
        tell(STOP)


def measure():
    """Instructions of each step."""
    environment = os.environ | {"INITCORE_ISA": ISA, "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/out"]
        done = subprocess.run(
            [*command, sys.executable, __file__, "--train"], env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"valgrind failed:\n{done.stderr}")
        found = {}
        for number, (name, (steps, _)) in enumerate(STEPS.items(), 1):
            dump = Path(folder, f"out.{number}").read_text()
            found[name] = round(int(re.search(r"^totals: (\d+)", dump, re.M)[1]) / steps)
    return found


def why_not(kept, write):
    """Return the reason why nothing can be counted or compared, or None."""
    from initcore import _core

    if not shutil.which("valgrind"):
        return "needs valgrind"
    if ISA not in _core.isas():
        return f"needs {ISA}; this machine has {', '.join(_core.isas())}"
    compiler = _core.build()["compiler"]
    if not write and kept.get("compiler") != compiler:
        return f"the counts are of {kept.get('compiler')}, this build is of {compiler}"
    return None


def main(arguments):
    if arguments == ["--train"]:
        return train()
    write = arguments == ["--write"]
    kept = json.loads(FILE.read_text()) if FILE.exists() else {}
    reason = why_not(kept, write)
    if reason:
        print(f"instructions not counted: {reason}")
        return 0
    found, worse = measure(), 0
    for name, value in found.items():
        before = kept.get("steps", {}).get(name)
        change = f"{100 * (value / before - 1):+.1f} %" if before else "new"
        worse += bool(before and value > before * (1 + TOLERANCE))
        print(f"{value:>12,} instructions per step: {name} ({change})")
    if write:
        from initcore import _core

        kept = {"compiler": _core.build()["compiler"], "isa": ISA, "steps": found}
        FILE.write_text(json.dumps(kept, indent=1) + "\n")
    elif worse:
        print(f"more than before: find out why, or renew the file: python {sys.argv[0]} --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
