"""For users of PyTorch: `init`, which stands in for ``torch.nn.init``, and `initialize` for whole modules.

>>> import torch
>>> from initcore.torch import init, initialize
>>> w = init.he_normal_(torch.empty(256, 784))
>>> model = torch.nn.Sequential(torch.nn.Linear(784, 256), torch.nn.Tanh(), torch.nn.Linear(256, 10))
>>> print(initialize(model, seed=0))
tensor    shape    role    scheme                       std  why
0.weight  256x784  kernel  normal, 2.5362 / fan_in  0.05688  keeps the signal through tanh
0.bias    256      bias    zeros                          0  no unit is preferred
2.weight  10x256   kernel  glorot_uniform           0.08671  feeds no activation (the model ends there)
2.bias    10       bias    zeros                          0  no unit is preferred
4 tensors set, 0 left as they were
"""

from initcore.apply import initialize
from initcore.apply.from_data import lsuv, standardize
from initcore.torch import init
from initcore.torch.groups import parameter_groups
from initcore.torch.roles import register

__all__ = ["init", "initialize", "lsuv", "parameter_groups", "register", "standardize"]
