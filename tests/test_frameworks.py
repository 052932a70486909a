"""The page on PyTorch, Keras and JAX, and what the README shows of it."""

import doctest
import os
import re
from pathlib import Path

import pytest

import initcore as ic

os.environ.setdefault("KERAS_BACKEND", "jax")  # what Keras imports by default is not there
ROOT = Path(__file__).parent.parent
README, PAGE = ROOT / "README.md", ROOT / "docs" / "frameworks.md"


@pytest.mark.peers
def test_one_line_makes_a_deep_network_learn():
    torch = pytest.importorskip("torch", reason="trains a network of PyTorch, as its user would")
    nn, digits = torch.nn, ic.datasets.load("digits")
    x, xt = (torch.tensor(data, dtype=torch.float32) for data in (digits.x_train, digits.x_test))
    y, yt = (torch.tensor(data).long() for data in (digits.y_train, digits.y_test))

    def accuracy(one_line):
        torch.manual_seed(0)
        hidden = [part for _ in range(19) for part in (nn.Linear(64, 64), nn.Tanh())]
        model = nn.Sequential(*hidden, nn.Linear(64, 10))
        if one_line:
            ic.initialize(model)
        optimizer = torch.optim.SGD(model.parameters(), 0.02, momentum=0.9)
        for _ in range(8):
            for rows in torch.randperm(len(x)).split(64):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
                optimizer.step()
        return (model(xt).argmax(dim=1) == yt).double().mean().item()

    assert accuracy(one_line=False) < 0.3  # 0.10: chance
    assert accuracy(one_line=True) > 0.8  # 0.93


@pytest.mark.peers
def test_the_example_of_the_readme_is_true():
    pytest.importorskip("torch", reason="initializes a model of PyTorch")
    (example,) = re.findall(r"```pycon\n(.*?)```", README.read_text(), re.S)
    test = doctest.DocTestParser().get_doctest(example, {}, "README.md", str(README), 0)
    assert doctest.DocTestRunner().run(test).failed == 0


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_page_on_frameworks_is_true():
    for name in ("torch", "keras", "jax"):
        pytest.importorskip(name, reason="runs the examples for all three")
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failures, examples = doctest.testfile(str(PAGE), module_relative=False, optionflags=options)
    assert examples > 30 and failures == 0
