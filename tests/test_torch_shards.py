"""Tensors spread over processes: every process draws its part, and all together hold the whole."""

import multiprocessing
import pickle
import subprocess
import sys

import numpy as np
import pytest

import initcore as ic

torch = pytest.importorskip("torch", reason="spreads tensors of a live PyTorch")
pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore::FutureWarning"),
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


def run(path):
    """Write what all processes of all cases hold; each is one of its own, since it has one rank."""
    tasks = [(rank, mesh, scheme) for mesh, scheme in CASES for rank in range(int(np.prod(mesh)))]
    with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=1) as pool, open(path, "wb") as file:
        pickle.dump(dict(zip(tasks, pool.map(part_of, tasks, chunksize=1), strict=True)), file)


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    """By rank, mesh and scheme; from a program of its own, since no fork survives the threads of this one."""
    path = tmp_path_factory.mktemp("shards") / "held"
    subprocess.run([sys.executable, __file__, str(path)], check=True, timeout=300)
    return pickle.loads(path.read_bytes())


@pytest.mark.parametrize("mesh, scheme", CASES, ids=str)
def test_all_processes_together_hold_what_one_would(held, mesh, scheme):
    whole = network()
    expected = ic.initialize(whole, scheme, seed=3).to_dict()
    joined = {name: np.full(tensor.shape, np.nan, np.float32) for name, tensor in whole.named_parameters()}
    for rank in range(int(np.prod(mesh))):
        table, parts = held[rank, mesh, scheme]
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


if __name__ == "__main__":
    run(sys.argv[1])
