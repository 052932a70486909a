// The table of kernels: one field per family, filled once per instruction set, chosen by dispatch.cpp.
// To add a family: its contract in kernels/<family>.h, its loops in kernels/<family>.cpp, its name here.
//
// All arrays are C-contiguous, owned by the caller, and do not overlap unless a contract says so. No
// kernel allocates, throws or knows Python; none checks its arguments: that is what the bindings do.
#pragma once

#include "kernels/activations.h"
#include "kernels/arrays.h"
#include "kernels/both.h"
#include "kernels/functions.h"
#include "kernels/gemm.h"
#include "kernels/losses.h"
#include "kernels/metrics.h"
#include "kernels/moments.h"
#include "kernels/normalization.h"
#include "kernels/optimizers.h"
#include "kernels/random.h"
#include "kernels/random_orthogonal.h"
#include "kernels/roof.h"
#include "kernels/row_activations.h"

// Every family: the name of its table, the struct that holds its function pointers.
#define INITCORE_FAMILIES(FAMILY)              \
  FAMILY(activations, ActivationKernels)       \
  FAMILY(arrays, ArrayKernels)                 \
  FAMILY(functions, FunctionKernels)           \
  FAMILY(gemm, GemmKernels)                    \
  FAMILY(losses, LossKernels)                  \
  FAMILY(metrics, MetricKernels)               \
  FAMILY(moments, MomentKernels)               \
  FAMILY(normalization, NormalizationKernels)  \
  FAMILY(optimizers, OptimizerKernels)         \
  FAMILY(random, RandomKernels)                \
  FAMILY(random_orthogonal, OrthogonalKernels) \
  FAMILY(roof, RoofKernels)                    \
  FAMILY(row_activations, RowActivationKernels)

namespace initcore {

struct Kernels {
  const char* isa;
#define FIELD(name, Family) const Both<Family>& name;
  INITCORE_FAMILIES(FIELD)
#undef FIELD
};

}  // namespace initcore
