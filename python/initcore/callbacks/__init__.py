"""Callbacks: what watches and steers a training. Names and meanings are those of Keras 3.

Every callback has a file of its own here; `base` says how to write another.
"""

from initcore.callbacks.base import HOOKS, Callback
from initcore.callbacks.callback_list import CallbackList
from initcore.callbacks.checkpoint import ModelCheckpoint
from initcore.callbacks.csv_logger import CSVLogger
from initcore.callbacks.early_stopping import EarlyStopping
from initcore.callbacks.history import History
from initcore.callbacks.lambda_callback import LambdaCallback
from initcore.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from initcore.callbacks.monitor import Monitor
from initcore.callbacks.progress import ProgressBar
from initcore.callbacks.terminate_on_nan import TerminateOnNaN

__all__ = [
    "HOOKS",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "Monitor",
    "ProgressBar",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
]
