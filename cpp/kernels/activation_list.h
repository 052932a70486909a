// The activation functions. To add one: write a struct like its neighbours (or in the file of its family)
// and name it in `ActivationList` at the end. Kernels, Python table, docs, tests and benchmarks follow.
#pragma once

#include "kernels/activations.h"
#include "kernels/isa.h"
#include "kernels/rectifiers.h"
#include "kernels/sigmoids.h"
#include "kernels/smooth_rectifiers.h"
#include "kernels/type_list.h"

namespace initcore::INITCORE_ISA {

// V            a vector of numbers (vector.h).
// forward(x)   y = f(x), elementwise. NaN gives NaN, an infinity gives the limit.
// slope(x, y)  f'(x), given y = forward(x); reads x if kSlopeNeedsInput, else y, never both. At a kink: as
// Keras and PyTorch.

template <typename V>
using ActivationList =
    TypeList<Identity<V>, Relu<V>, LeakyRelu<V>, Relu6<V>, Elu<V>, Celu<V>, Selu<V>, Sigmoid<V>,
             HardSigmoid<V>, Tanh<V>, HardTanh<V>, Softsign<V>, Step<V>, Softplus<V>, Silu<V>, HardSwish<V>,
             Gelu<V>, GeluTanh<V>, Mish<V>, Exponential<V>>;

}  // namespace initcore::INITCORE_ISA
