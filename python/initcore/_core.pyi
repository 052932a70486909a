"""
The compiled part of initcore. Private: its functions check form, not meaning.
"""
from __future__ import annotations
import collections.abc
import numpy
import numpy.typing
import typing
import typing_extensions
__all__: list[str] = ['MAX_ACTIVATION_PARAMETERS', 'Operand', 'Plan', 'activation_backward', 'activation_forward', 'activations', 'active_bf16', 'active_isa', 'bf16', 'build', 'choose_bf16', 'choose_isa', 'compiled_bf16', 'compiled_isas', 'cpu_limits', 'from_dlpack', 'function', 'functions', 'gradient_scales', 'isas', 'loss', 'losses', 'matmul', 'metrics', 'moments', 'num_threads', 'optimizer_step', 'optimizers', 'parallel_probe', 'penalty', 'pool_state', 'random_bernoulli', 'random_bits', 'random_normal', 'random_orthogonal', 'random_permute', 'random_philox', 'random_rounded', 'random_truncated_normal', 'random_uniform', 'roof_multiply_add', 'roof_multiply_add_bf16', 'roof_sum', 'roof_sums', 'roof_triad', 'roof_update', 'set_num_threads', 'softmax_backward', 'softmax_forward', 'thread_trial', 'use_bf16', 'use_isa']
class Operand:
    def __init__(self, array: numpy.ndarray, per_row: typing.SupportsInt | typing.SupportsIndex) -> None:
        ...
    @property
    def array(self) -> numpy.ndarray:
        ...
    @property
    def per_row(self) -> int:
        ...
class Plan:
    def __init__(self, batch_size: typing.SupportsInt | typing.SupportsIndex, bf16: bool = False) -> None:
        ...
    def activation_backward(self, segment: str, number: typing.SupportsInt | typing.SupportsIndex, dy: Operand, x: Operand, y: Operand, dx: Operand, parameters: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(2)"]) -> None:
        ...
    def activation_forward(self, segment: str, number: typing.SupportsInt | typing.SupportsIndex, x: Operand, y: Operand, parameters: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(2)"]) -> None:
        ...
    def add(self, segment: str, a: Operand, b: Operand, y: Operand) -> None:
        ...
    def advance(self, batches: typing.SupportsInt | typing.SupportsIndex, seconds: typing.SupportsFloat | typing.SupportsIndex) -> int:
        ...
    def batch_norm_backward(self, segment: str, dy: Operand, x: Operand, gamma: Operand, mean: Operand, inverse: Operand, dx: Operand, dgamma: Operand, dbeta: Operand) -> None:
        ...
    def batch_norm_forward(self, segment: str, x: Operand, gamma: Operand, beta: Operand, mean: Operand, inverse: Operand, moving_mean: Operand, moving_variance: Operand, y: Operand, epsilon: typing.SupportsFloat | typing.SupportsIndex, momentum: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    def batch_norm_inference(self, segment: str, x: Operand, gamma: Operand, beta: Operand, moving_mean: Operand, moving_variance: Operand, y: Operand, epsilon: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    def batch_norm_inference_backward(self, segment: str, dy: Operand, x: Operand, gamma: Operand, moving_mean: Operand, moving_variance: Operand, dx: Operand, dgamma: Operand, dbeta: Operand, epsilon: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    def column_sum(self, segment: str, x: Operand, out: Operand) -> None:
        ...
    def deliver(self, segment: str, slot: str, x: Operand) -> None:
        ...
    def dropout_mask(self, segment: str, mask: Operand, key: typing.SupportsInt | typing.SupportsIndex, rate: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    def gather(self, segment: str, slot: str, out: Operand) -> None:
        ...
    def gradient_scales(self, segment: str, gradients: Operand, starts: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], limit: typing.SupportsFloat | typing.SupportsIndex, scales: Operand) -> None:
        ...
    def loss(self, segment: str, number: typing.SupportsInt | typing.SupportsIndex, prediction: Operand, target: Operand, weight: Operand, total: Operand, gradient: Operand, parameters: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex]) -> None:
        """
        Adds the sum of weight_i loss_i to total[0] and the rows to total[1], and sets total[2] to the mean over this batch. The gradient is that of this mean.
        """
    def matmul(self, segment: str, layout: str, a: Operand, b: Operand, c: Operand, accumulate: bool = False, bias: Operand = None, activation: typing.SupportsInt | typing.SupportsIndex | None = None, slope: typing.SupportsInt | typing.SupportsIndex | None = None, x: Operand = None, y: Operand = None, parameters: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(2)"] = [0.0, 0.0]) -> None:
        ...
    def metric(self, segment: str, number: typing.SupportsInt | typing.SupportsIndex, prediction: Operand, target: Operand, weight: Operand, total: Operand, parameter: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    def multiply(self, segment: str, a: Operand, b: Operand, y: Operand) -> None:
        ...
    def operations(self, segment: str) -> list:
        ...
    def optimizer_step(self, segment: str, number: typing.SupportsInt | typing.SupportsIndex, hyperparameters: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(4)"], weight_decay: typing.SupportsFloat | typing.SupportsIndex, limit: typing.SupportsFloat | typing.SupportsIndex, parameters: Operand, gradients: Operand, slot_0: Operand, slot_1: Operand, slot_2: Operand, scalars: Operand, starts: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], scales: Operand) -> None:
        ...
    def penalty(self, segment: str, w: Operand, g: Operand, l1: typing.SupportsFloat | typing.SupportsIndex, l2: typing.SupportsFloat | typing.SupportsIndex, total: Operand) -> None:
        ...
    def prelu_backward(self, segment: str, dy: Operand, x: Operand, alpha: Operand, dx: Operand, dalpha: Operand) -> None:
        ...
    def prelu_forward(self, segment: str, x: Operand, alpha: Operand, y: Operand) -> None:
        ...
    def random_uniform(self, segment: str, out: Operand, key: typing.SupportsInt | typing.SupportsIndex, low: typing.SupportsFloat | typing.SupportsIndex, high: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    def rrelu_forward(self, segment: str, x: Operand, slopes: Operand, y: Operand) -> None:
        ...
    def softmax_backward(self, segment: str, dy: Operand, y: Operand, dx: Operand, log: bool) -> None:
        ...
    def softmax_forward(self, segment: str, x: Operand, y: Operand, log: bool) -> None:
        ...
    def start(self, segments: collections.abc.Sequence[str], rows: typing.SupportsInt | typing.SupportsIndex, inputs: dict = {}, order: typing.Any = None, learning_rates: typing.Any = None, step: typing.SupportsInt | typing.SupportsIndex = 1) -> None:
        ...
    @property
    def batch_size(self) -> int:
        ...
    @property
    def total(self) -> int:
        ...
def activation_backward(number: typing.SupportsInt | typing.SupportsIndex, dy: numpy.ndarray, x: numpy.ndarray, y: numpy.ndarray, dx: numpy.ndarray, parameters: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(2)"]) -> None:
    ...
def activation_forward(number: typing.SupportsInt | typing.SupportsIndex, x: numpy.ndarray, y: numpy.ndarray, parameters: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(2)"]) -> None:
    ...
def activations() -> list:
    """
    Every elementwise activation; parameters: name -> (default, low, whether it must lie above low).
    """
def active_bf16() -> str:
    """
    The one in use, or nothing.
    """
def active_isa() -> str:
    """
    The instruction set in use.
    """
def bf16() -> list[str]:
    """
    Instructions for products in bfloat16 that this machine runs, best first.
    """
def build() -> dict:
    """
    How this module was compiled.
    """
def choose_bf16(runnable: collections.abc.Sequence[str], wanted: str) -> str:
    ...
def choose_isa(runnable: collections.abc.Sequence[str], wanted: str) -> str:
    ...
def compiled_bf16() -> list[str]:
    """
    Those that the module was compiled for, best first.
    """
def compiled_isas() -> list[str]:
    """
    Instruction sets that the module was compiled for, best first.
    """
def cpu_limits(root: str = '') -> dict:
    """
    What limits the number of threads. root: for tests.
    """
def from_dlpack(capsule: typing_extensions.CapsuleType) -> tuple[numpy.ndarray, int]:
    ...
def function(name: str, x: numpy.ndarray, y: numpy.ndarray) -> None:
    """
    y = f(x), elementwise.
    """
def functions() -> list[str]:
    """
    Names of the elementary functions.
    """
def gradient_scales(gradients: numpy.ndarray, starts: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], limit: typing.SupportsFloat | typing.SupportsIndex, scales: numpy.ndarray) -> None:
    ...
def isas() -> list[str]:
    """
    Instruction sets that this machine runs, best first.
    """
def loss(number: typing.SupportsInt | typing.SupportsIndex, prediction: numpy.ndarray, target: numpy.ndarray, weight: numpy.ndarray | None, gradient: numpy.ndarray | None, values: numpy.ndarray, parameters: collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex]) -> None:
    """
    Sets values[i] = weight_i loss_i, and the gradient of their mean.
    """
def losses() -> list:
    """
    Every loss: number, name, formula, source, parameters, whether targets are classes.
    """
def matmul(layout: str, a: numpy.ndarray, b: numpy.ndarray, c: numpy.ndarray, accumulate: bool = False, bias: numpy.ndarray | None = None, activation: typing.SupportsInt | typing.SupportsIndex | None = None, slope: typing.SupportsInt | typing.SupportsIndex | None = None, x: numpy.ndarray | None = None, y: numpy.ndarray | None = None, parameters: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(2)"] | None = None, bf16: bool = False) -> None:
    ...
def metrics() -> list:
    """
    Every metric's kernel: number, name, whether targets are classes, size of the total.
    """
def moments(x: numpy.ndarray, low: typing.SupportsFloat | typing.SupportsIndex, high: typing.SupportsFloat | typing.SupportsIndex, out: numpy.ndarray) -> None:
    """
    For each column: mean, sum of squares around it, largest |x|, how many are 0, <= low or >= high, not finite.
    """
def num_threads() -> int:
    """
    How many threads compute, the caller included.
    """
def optimizer_step(number: typing.SupportsInt | typing.SupportsIndex, hyperparameters: typing.Annotated[collections.abc.Sequence[typing.SupportsFloat | typing.SupportsIndex], "FixedSize(4)"], weight_decay: typing.SupportsFloat | typing.SupportsIndex, limit: typing.SupportsFloat | typing.SupportsIndex, parameters: numpy.ndarray, gradients: numpy.ndarray, slots: collections.abc.Sequence[numpy.ndarray], scalars: numpy.ndarray | None, starts: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], scales: numpy.ndarray | None, step: typing.SupportsInt | typing.SupportsIndex, learning_rate: typing.SupportsFloat | typing.SupportsIndex) -> None:
    ...
def optimizers() -> list:
    """
    Every update rule: number, name, source, hyperparameters, slots, scalars.
    """
def parallel_probe(units: typing.SupportsInt | typing.SupportsIndex, seconds_per_unit: typing.SupportsFloat | typing.SupportsIndex = 0.0, fail_at: typing.SupportsInt | typing.SupportsIndex | None = None, alone: bool = False) -> list:
    """
    The ranges of a job, as (begin, end, thread). For tests.
    """
def penalty(w: numpy.ndarray, g: numpy.ndarray | None, l1: typing.SupportsFloat | typing.SupportsIndex, l2: typing.SupportsFloat | typing.SupportsIndex) -> float:
    ...
def pool_state() -> dict:
    """
    Worker threads that exist, and whether the system refused to start another.
    """
def random_bernoulli(out: numpy.ndarray, key: typing.SupportsInt | typing.SupportsIndex, probability: typing.SupportsFloat | typing.SupportsIndex, value: typing.SupportsFloat | typing.SupportsIndex = 1.0, step: typing.SupportsInt | typing.SupportsIndex = 0, offset: typing.SupportsInt | typing.SupportsIndex = 0, strides: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex] | None = None) -> None:
    ...
def random_bits(out: numpy.ndarray, key: typing.SupportsInt | typing.SupportsIndex, step: typing.SupportsInt | typing.SupportsIndex = 0, offset: typing.SupportsInt | typing.SupportsIndex = 0, strides: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex] | None = None) -> None:
    ...
def random_normal(out: numpy.ndarray, key: typing.SupportsInt | typing.SupportsIndex, mean: typing.SupportsFloat | typing.SupportsIndex, stddev: typing.SupportsFloat | typing.SupportsIndex, step: typing.SupportsInt | typing.SupportsIndex = 0, offset: typing.SupportsInt | typing.SupportsIndex = 0, strides: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex] | None = None) -> None:
    ...
def random_orthogonal(out: numpy.ndarray, key: typing.SupportsInt | typing.SupportsIndex, width: typing.SupportsInt | typing.SupportsIndex, rows: tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex], columns: tuple[typing.SupportsInt | typing.SupportsIndex, typing.SupportsInt | typing.SupportsIndex], gain: typing.SupportsFloat | typing.SupportsIndex = 1.0, step: typing.SupportsInt | typing.SupportsIndex = 0, offset: typing.SupportsInt | typing.SupportsIndex = 0) -> None:
    ...
def random_permute(words: numpy.typing.NDArray[numpy.uint64]) -> None:
    ...
def random_philox(counter: typing.Annotated[collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(4)"], key: typing.Annotated[collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex], "FixedSize(2)"]) -> typing.Annotated[list[int], "FixedSize(4)"]:
    """
    One block of Philox4x32-10.
    """
def random_rounded(from_: numpy.ndarray, to: numpy.ndarray) -> None:
    """
    To bfloat16, as uint16.
    """
def random_truncated_normal(out: numpy.ndarray, key: typing.SupportsInt | typing.SupportsIndex, mean: typing.SupportsFloat | typing.SupportsIndex, stddev: typing.SupportsFloat | typing.SupportsIndex, low: typing.SupportsFloat | typing.SupportsIndex, high: typing.SupportsFloat | typing.SupportsIndex, lowest: typing.SupportsFloat | typing.SupportsIndex | None = None, highest: typing.SupportsFloat | typing.SupportsIndex | None = None, step: typing.SupportsInt | typing.SupportsIndex = 0, offset: typing.SupportsInt | typing.SupportsIndex = 0, strides: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex] | None = None) -> None:
    ...
def random_uniform(out: numpy.ndarray, key: typing.SupportsInt | typing.SupportsIndex, low: typing.SupportsFloat | typing.SupportsIndex, high: typing.SupportsFloat | typing.SupportsIndex, most: typing.SupportsFloat | typing.SupportsIndex | None = None, step: typing.SupportsInt | typing.SupportsIndex = 0, offset: typing.SupportsInt | typing.SupportsIndex = 0, strides: collections.abc.Sequence[typing.SupportsInt | typing.SupportsIndex] | None = None) -> None:
    ...
def roof_multiply_add(values: numpy.ndarray, factor: typing.SupportsFloat | typing.SupportsIndex, term: typing.SupportsFloat | typing.SupportsIndex, rounds: typing.SupportsInt | typing.SupportsIndex) -> None:
    """
    values = values * factor + term, `rounds` times, in registers.
    """
def roof_multiply_add_bf16(values: numpy.ndarray, factor: typing.SupportsFloat | typing.SupportsIndex, rounds: typing.SupportsInt | typing.SupportsIndex) -> None:
    """
    values = values + factor * 1 + factor * 1, `rounds` times, in registers.
    """
def roof_sum(x: numpy.ndarray, out: numpy.ndarray, passes: typing.SupportsInt | typing.SupportsIndex) -> None:
    """
    out = the sums of the rows of x, `passes` times anew.
    """
def roof_sums(dtype: str) -> int:
    """
    How many sums roof_multiply_add keeps for each thread.
    """
def roof_triad(a: numpy.ndarray, b: numpy.ndarray, c: numpy.ndarray, factor: typing.SupportsFloat | typing.SupportsIndex, passes: typing.SupportsInt | typing.SupportsIndex) -> None:
    """
    a = b + factor * c, `passes` times anew.
    """
def roof_update(first: numpy.ndarray, second: numpy.ndarray, third: numpy.ndarray, g: numpy.ndarray, factor: typing.SupportsFloat | typing.SupportsIndex, passes: typing.SupportsInt | typing.SupportsIndex) -> None:
    """
    p = p * factor + g for each p of three, `passes` times.
    """
def set_num_threads(n: typing.SupportsInt | typing.SupportsIndex) -> None:
    ...
def softmax_backward(dy: numpy.ndarray, y: numpy.ndarray, dx: numpy.ndarray, log: bool) -> None:
    ...
def softmax_forward(x: numpy.ndarray, y: numpy.ndarray, log: bool) -> None:
    """
    Over the last axis.
    """
def thread_trial(steps: typing.SupportsInt | typing.SupportsIndex, together: typing.SupportsFloat | typing.SupportsIndex, alone: typing.SupportsFloat | typing.SupportsIndex) -> list[bool]:
    """
    Which steps would be computed alone, if they took so many seconds. For tests.
    """
def use_bf16(name: str) -> None:
    """
    Switches the whole process. For tests and benchmarks.
    """
def use_isa(name: str) -> None:
    """
    Switches the whole process. For tests and benchmarks.
    """
MAX_ACTIVATION_PARAMETERS: int = 2
__version__: str = '0.1.0'
