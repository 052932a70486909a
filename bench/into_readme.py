"""Put a run of `initcore bench` into README.md: picture, table, who is faster where, the claim at the top.

python bench/into_readme.py              # measures for a minute: on a machine that does nothing else
python bench/into_readme.py bench.json   # takes what was measured before
"""

import json
import re
import sys
from pathlib import Path

from initcore.bench import report, suite, tables

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PICTURE = ".github/pictures/bench.png"
BEGIN, END = "<!-- initcore bench -->", "<!-- /initcore bench -->"


CLAIM = r"\d[\d.]* to \d[\d.]* times faster than NumPy, PyTorch and scikit-learn"


def claim(results):
    """Say what the table of training steps shows."""
    steps = [entry for entry in results["entries"] if entry["group"] == "training step"]
    peers = "NumPy", "NumPy, plain", "PyTorch", "scikit-learn"
    ratios = [entry["ratios"][peer] for entry in steps for peer in peers]
    low, high = (tables.times(ratio).removesuffix("x") for ratio in (min(ratios), max(ratios)))
    return f"{low} to {high} times faster than NumPy, PyTorch and scikit-learn"


def losses(results):
    """Say where another is faster."""
    found = [
        f"{entry['group'].removesuffix(' m x n x k')} {entry['name']} ({peer} {tables.times(ratio)})"
        for entry in results["entries"]
        for peer, ratio in entry["ratios"].items()
        if ratio < 0.995
    ]
    return (
        f"Where others were faster in this run: {', '.join(found)}."
        if found
        else "Nobody was faster anywhere."
    )


def block(results):
    """Return what stands between the marks."""
    return f"""{BEGIN}
![How many times as long the others take, and initcore under the roof]({PICTURE})

One training step with Adam, in microseconds, how much of the roof's speed that is, and how many times as long
the others take. {tables.head(results)}.

{report.markdown(results, "training step")}

{losses(results)}
{END}"""


def warn_if_busy(results, page):
    """Say that a page should not stay as it is."""
    if results["machine"]["load"] >= report.QUIET:
        words = "now shows what a busy machine measured: do it again when it is quiet"
        print(f"{page.name} {words}", file=sys.stderr)


def main(arguments):
    if arguments:
        results = json.loads(Path(arguments[0]).read_text())
    else:
        results = suite.run(
            progress=lambda done, total, label: print(f"{done}/{total} {label}", file=sys.stderr)
        )
    print(report.text(results))
    warn_if_busy(results, README)
    text = README.read_text()
    for pattern, new in ((f"{BEGIN}.*?{END}", block(results)), (CLAIM, claim(results))):
        text, found = re.subn(pattern, lambda _, new=new: new, text, flags=re.DOTALL)
        if found != 1:
            raise SystemExit(f"README.md must have {pattern} once, got {found}")
    report.save(results, ROOT / "build" / "bench")
    (ROOT / PICTURE).write_bytes((ROOT / "build" / "bench" / "bench.png").read_bytes())
    README.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
