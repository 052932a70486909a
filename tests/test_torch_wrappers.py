"""Models of PyTorch that are wrapped, as a whole or in parts, are initialized as what they wrap."""

import pytest

import initcore as ic

torch = pytest.importorskip("torch", reason="initializes modules of a live PyTorch")
nn = torch.nn
pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore:`torch.jit.script_method`:DeprecationWarning"),  # of torch.compile
]


def network(wrap=lambda module: module):
    inner = nn.Sequential(wrap(nn.Linear(4, 4)), nn.GELU())
    return nn.Sequential(wrap(nn.Linear(4, 4)), nn.ReLU(), wrap(inner), nn.Linear(4, 2))


@pytest.mark.parametrize("wrapper", ["compile", "DataParallel", "checkpoint_wrapper"])
def test_wrapped_models_are_as_what_they_wrap(wrapper):
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

    wrap = {"compile": torch.compile, "DataParallel": nn.DataParallel}.get(wrapper, checkpoint_wrapper)
    plain = network()
    expected = ic.initialize(plain, seed=6)
    for model in (wrap(network()), network(wrap)):
        kinds, state = [type(module) for module in model.modules()], model.state_dict()
        assert ic.initialize(model, seed=6) == expected
        assert [type(module) for module in model.modules()] == kinds
        pairs = zip(state.values(), plain.state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
