"""The process that measures: started by `suite.run`, it tells of its progress in lines of JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from initcore.bench import suite


def main() -> None:
    """Measure what the argument says; the last line holds the results."""
    threads, seconds, parts = json.loads(sys.argv[1])
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no JSON

    def tell(message: dict[str, Any]) -> None:
        print(json.dumps(message), file=out, flush=True)

    tell(suite.run_here(threads, seconds, parts, lambda *state: tell({"progress": state})))


if __name__ == "__main__":
    main()
