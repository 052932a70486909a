"""Start neural networks right on a CPU: initialization, fast training, comparison, diagnosis."""

from initcore import initializers
from initcore._core import __version__
from initcore.fans import fans
from initcore.info import build_info, get_num_threads, set_num_threads
from initcore.random import Key

__all__ = [
    "Key",
    "__version__",
    "build_info",
    "fans",
    "get_num_threads",
    "initializers",
    "set_num_threads",
]
