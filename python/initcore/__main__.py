"""``python -m initcore`` is ``initcore``."""

from initcore.cli import main

if __name__ == "__main__":
    main()
