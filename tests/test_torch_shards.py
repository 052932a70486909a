"""Tensors spread over processes: every process draws its part, and all together hold the whole."""

import multiprocessing

import numpy as np
import pytest

import initcore as ic

torch = pytest.importorskip("torch", reason="spreads tensors of a live PyTorch")
pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),  # of fork beside threads
]
spread = pytest.importorskip("torch.distributed.tensor", reason="spreads tensors over processes")
fake = pytest.importorskip("torch.testing._internal.distributed.fake_pg", reason="makes processes up")
from initcore.torch.shards import own_part  # noqa: E402

nn = torch.nn
CASES = [((1,), "auto"), ((3,), "auto"), ((2, 2), "auto"), ((2, 2), "orthogonal"), ((6,), "orthogonal")]


def network():
    convolution = nn.Conv2d(8, 6, 3, groups=2)
    return nn.Sequential(
        nn.Embedding(13, 8, padding_idx=7), nn.MultiheadAttention(8, 2), convolution, nn.Linear(6, 5)
    )


def part_of(arguments):
    """What the process ``rank`` of a mesh holds: by name, where it is, and the numbers."""
    rank, mesh, scheme = arguments
    size = int(np.prod(mesh))
    torch.distributed.init_process_group("fake", store=fake.FakeStore(), rank=rank, world_size=size)
    devices = torch.distributed.device_mesh.init_device_mesh("cpu", mesh)
    model = network()
    for module in model.modules():
        for name, tensor in list(module.named_parameters(recurse=False)):
            axes = [spread.Shard(axis % tensor.ndim) for axis in range(len(mesh))]
            setattr(module, name, nn.Parameter(spread.distribute_tensor(tensor.data, devices, axes)))
    table = ic.initialize(model, scheme, seed=3)
    parts = {name: own_part(tensor.data) for name, tensor in model.named_parameters()}
    return table.to_dict(), {name: (index, local.numpy()) for name, (local, index) in parts.items()}


def in_processes(tasks):
    """Each task in a process of its own, since one has one rank."""
    with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=1) as pool:
        return pool.map(part_of, tasks, chunksize=1)


@pytest.mark.parametrize("mesh, scheme", CASES, ids=str)
def test_all_processes_together_hold_what_one_would(mesh, scheme):
    whole = network()
    expected = ic.initialize(whole, scheme, seed=3).to_dict()
    joined = {name: np.full(tensor.shape, np.nan, np.float32) for name, tensor in whole.named_parameters()}
    for table, parts in in_processes([(rank, mesh, scheme) for rank in range(int(np.prod(mesh)))]):
        assert table == expected
        for name, (index, local) in parts.items():
            joined[name][index] = local
    for name, tensor in whole.named_parameters():
        assert np.array_equal(tensor.detach().numpy(), joined[name]), name


def test_what_is_not_a_part_is_left():
    torch.distributed.init_process_group("fake", store=fake.FakeStore(), rank=0, world_size=2)
    try:
        devices = torch.distributed.device_mesh.init_device_mesh("cpu", (2,))
        model = nn.Linear(4, 4, bias=False)
        partial = spread.DTensor.from_local(torch.zeros(4, 4), devices, [spread.Partial()], run_check=False)
        model.weight = nn.Parameter(partial)
        row = ic.initialize(model)["weight"]
        assert not row.changed and "Partial" in row.why
    finally:
        torch.distributed.destroy_process_group()
