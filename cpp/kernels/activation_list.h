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

// forward(x)   y = f(x), elementwise. NaN gives NaN, an infinity gives the limit.
// slope(x, y)  f'(x), given y = forward(x); reads x only if kSlopeNeedsInput. At a kink: as Keras and
// PyTorch.

template <typename T>
using ActivationList =
    TypeList<Identity<T>, Relu<T>, LeakyRelu<T>, Relu6<T>, Elu<T>, Celu<T>, Selu<T>, Sigmoid<T>,
             HardSigmoid<T>, Tanh<T>, HardTanh<T>, Softsign<T>, Step<T>, Softplus<T>, Silu<T>, HardSwish<T>,
             Gelu<T>, GeluTanh<T>, Mish<T>, Exponential<T>>;

}  // namespace initcore::INITCORE_ISA
