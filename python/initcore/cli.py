"""The command ``initcore``. The commands themselves are in `commands`, which needs the extra ``cli``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, or say what is missing for it."""
    try:
        from initcore.commands import initcore
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("click", "rich"):
            raise
        print(f"The command line needs {missing}: pip install 'initcore[cli]'", file=sys.stderr)
        sys.exit(1)
    initcore(prog_name="initcore")
