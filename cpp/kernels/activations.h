// Contract: activation functions and their slopes. The list of them is at the end of activation_list.h.
#pragma once

#include "index.h"
#include "kernels/parameters.h"

namespace initcore {

/// One elementwise function, as every instruction set offers it.
template <typename T>
struct Activation {
  const char* name;
  const char* formula;  // Python syntax in x and the parameters, evaluated by the tests
  const char* source;
  Parameter parameters[kMaxParameters];
  bool slope_needs_input;  // backward() reads x; otherwise y is enough and x may be null

  /// y[i] = f(x[i]). May run in place (y == x). p: kMaxParameters values.
  void (*forward)(const T* x, T* y, Index n, const double* p);

  /// dx[i] = dy[i] f'(x[i]), where y = f(x). May run in place (dx == dy).
  void (*backward)(const T* dy, const T* x, const T* y, T* dx, Index n, const double* p);
};

template <typename T>
struct ActivationKernels {
  const Activation<T>* rows;
  Index count;
};

}  // namespace initcore
