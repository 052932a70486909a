"""Start neural networks right on a CPU: initialization, fast training, comparison, diagnosis."""

from initcore import _core as _core
