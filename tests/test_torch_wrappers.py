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


@pytest.fixture(params=["gloo", "fake"])
def processes(request):
    """One process of its own, or the first of two that are made up."""
    distributed = pytest.importorskip("torch.distributed", reason="wraps models for several processes")
    if request.param == "gloo":
        distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    else:
        made_up = pytest.importorskip(
            "torch.testing._internal.distributed.fake_pg", reason="makes processes up"
        )
        distributed.init_process_group("fake", store=made_up.FakeStore(), rank=0, world_size=2)
    yield distributed.get_world_size()
    distributed.destroy_process_group()


def same(model, plain):
    pairs = zip(model.state_dict().values(), plain.state_dict().values(), strict=True)
    return all(torch.equal(getattr(a, "full_tensor", lambda a=a: a)(), b) for a, b in pairs)


def test_distributed_data_parallel(processes):
    model, plain = nn.parallel.DistributedDataParallel(network()), network()
    assert ic.initialize(model, seed=6) == ic.initialize(plain, seed=6) and same(model, plain)
    x = torch.randn(50, 4)
    if processes == 1:
        assert ic.initialize(model, "lsuv", data=x) == ic.initialize(plain, "lsuv", data=x)
    else:
        with pytest.raises(ValueError, match=r"before it is spread .* DistributedDataParallel"):
            ic.initialize(model, "lsuv", data=x)


def test_fully_shard(processes):
    fsdp = pytest.importorskip("torch.distributed.fsdp", reason="spreads tensors over processes")
    mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (processes,))
    model, plain = network(), network()
    for part in (model[0], model[2], model):
        fsdp.fully_shard(part, mesh=mesh)
    assert ic.initialize(model, seed=6) == ic.initialize(plain, seed=6)
    if processes == 1:
        assert same(model, plain)
    with pytest.raises(ValueError, match=r"before it is spread .* fully_shard"):
        ic.initialize(model, "lsuv", data=torch.randn(50, 4))
    assert model(torch.ones(2, 4)).shape == (2, 2)  # and still works


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # PyTorch's own, of this wrapper
@pytest.mark.parametrize("original", [True, False])
def test_fully_sharded_data_parallel(processes, original):
    fsdp = pytest.importorskip("torch.distributed.fsdp", reason="spreads tensors over processes")

    def wrap(module):
        return fsdp.FullyShardedDataParallel(
            module, device_id=torch.device("cpu"), use_orig_params=original, sync_module_states=False
        )

    model, plain = network(), network()
    model[2] = wrap(model[2])
    model, expected = wrap(model), ic.initialize(plain, seed=6)
    if processes > 1 or not original:
        table = ic.initialize(model, seed=6)
        assert all("summon_full_params" in row.why and not row.changed for row in table)
    else:
        assert ic.initialize(model, seed=6) == expected
    with fsdp.FullyShardedDataParallel.summon_full_params(model):
        assert ic.initialize(model, seed=6) == expected and same(model, plain)
    with pytest.raises(ValueError, match=r"before it is spread .* FullyShardedDataParallel"):
        ic.initialize(model, "lsuv", data=torch.randn(50, 4))


def test_a_module_that_is_compiled_in_place():
    model, plain = network(), network()
    model.compile()
    model[2].compile()
    assert ic.initialize(model, seed=6) == ic.initialize(plain, seed=6) and same(model, plain)
