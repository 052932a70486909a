"""Start neural networks right on a CPU: initialization, fast training, comparison, diagnosis."""

from initcore._core import __version__
from initcore.info import build_info, get_num_threads, set_num_threads

__all__ = [
    "__version__",
    "build_info",
    "get_num_threads",
    "set_num_threads",
]
