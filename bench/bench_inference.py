"""`model.predict` with softmax: the latency of one row, and the throughput of many. Float32.

Every side takes an array of NumPy's and returns probabilities, and all return the same.
"""

import itertools

import numpy as np
import pytest
from interleaved import Entry, optional, time_per

import initcore as ic
from initcore import roof


def in_numpy(kernels, biases, threads):
    def predict(x):
        for i, (w, b) in enumerate(zip(kernels, biases, strict=True)):
            x = x @ w
            x += b
            if i < len(kernels) - 1:
                np.maximum(x, 0, out=x)
        x -= x.max(axis=1, keepdims=True)
        np.exp(x, out=x)
        x /= x.sum(axis=1, keepdims=True)
        return x

    return predict


def in_torch(kernels, biases, threads):
    torch = optional("torch")
    torch.set_num_threads(threads)
    layers = [(torch.from_numpy(w), torch.from_numpy(b)) for w, b in zip(kernels, biases, strict=True)]

    @torch.inference_mode()
    def predict(x):
        x = torch.from_numpy(x)
        for w, b in layers[:-1]:
            x = torch.addmm(b, x, w).relu_()
        return torch.addmm(layers[-1][1], x, layers[-1][0]).softmax(1).numpy()

    return predict


def in_onnx_runtime(kernels, biases, threads):
    onnx, runtime = optional("onnx"), optional("onnxruntime")
    helper, tensor = onnx.helper, onnx.numpy_helper.from_array
    nodes, constants, name = [], [], "x"
    for i, (w, b) in enumerate(zip(kernels, biases, strict=True)):
        constants += [tensor(w, f"w{i}"), tensor(b, f"b{i}")]
        nodes.append(helper.make_node("Gemm", [name, f"w{i}", f"b{i}"], [f"z{i}"]))
        last = i == len(kernels) - 1
        name = "y" if last else f"a{i}"
        nodes.append(helper.make_node("Softmax" if last else "Relu", [f"z{i}"], [name]))
    ends = [
        helper.make_tensor_value_info(end, onnx.TensorProto.FLOAT, [None, size])
        for end, size in (("x", len(kernels[0])), ("y", len(biases[-1])))
    ]
    graph = helper.make_graph(nodes, "mlp", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})[0]


def in_scikit_learn(kernels, biases, threads):
    hidden = [len(b) for b in biases[:-1]]
    model = optional("sklearn.neural_network").MLPClassifier(hidden, max_iter=1, batch_size=20)
    classes = np.arange(len(biases[-1]))
    model.partial_fit(np.zeros((20, len(kernels[0])), np.float32), np.resize(classes, 20), classes=classes)
    *hidden_kernels, w = kernels
    *hidden_biases, b = biases
    if len(b) == 2:  # of two classes it computes one
        w, b = w[:, 1:] - w[:, :1], b[1:] - b[:1]
    model.coefs_, model.intercepts_ = [*hidden_kernels, w], [*hidden_biases, b]
    return model.predict_proba


PEERS = {
    "NumPy": ("numpy", in_numpy),
    "PyTorch": ("torch", in_torch),
    "ONNX Runtime": ("onnxruntime", in_onnx_runtime),
    "scikit-learn": ("sklearn", in_scikit_learn),
}
NETWORKS = [(784, 128, 10), (20, 32, 16, 2), (784, 512, 512, 10)]


@pytest.mark.parametrize("rows", [1, 10_000], ids="{} rows".format)
@pytest.mark.parametrize("widths", NETWORKS, ids=lambda widths: "-".join(map(str, widths)))
def bench_predict(measure, benchmark, widths, rows, threads):
    hidden = [ic.Dense(n, activation="relu") for n in widths[1:-1]]
    model = ic.Sequential(
        [*hidden, ic.Dense(widths[-1], activation="softmax")], input_shape=widths[:1], seed=0
    )
    x = np.random.default_rng(0).standard_normal((rows, widths[0]), np.float32)
    peers, expected = {}, model.predict(x)
    for name, (module, make) in PEERS.items():
        peers[name] = None
        if optional(module) and (module != "onnxruntime" or optional("onnx")):
            weights = [np.array(array) for array in model.parameters.values()]  # else they warm each other's
            predict = make(weights[::2], weights[1::2], threads)
            np.testing.assert_allclose(predict(x), expected, rtol=1e-3, atol=1e-5)
            peers[name] = lambda predict=predict: predict(x)
    flops = 2 * rows * sum(m * n for m, n in itertools.pairwise(widths))
    name = f"{'-'.join(map(str, widths))}, {rows} rows"
    unit, bound = time_per("us per call", 1), roof.multiply_adds(flops, threads)
    measure(Entry("predict", name, unit, lambda: model.predict(x), peers, bound), 1.0)
