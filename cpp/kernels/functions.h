// Contract: the elementary functions of vmath.h over arrays. Kernels call them inline; tests call them here.
#pragma once

#include "index.h"

namespace initcore {

template <typename T>
struct Function {
  const char* name;

  /// y[i] = f(x[i]). May run in place (y == x).
  void (*run)(const T* x, T* y, Index n);
};

template <typename T>
struct FunctionKernels {
  const Function<T>* rows;
  Index count;
};

}  // namespace initcore
