// Contract: activations that look at a whole row (softmax), learn their slope (prelu) or are given random
// slopes (rrelu). Arrays are (rows, columns), row-major. To add one: a field here, its loops in
// row_activations.cpp, a binding.
#pragma once

#include "index.h"

namespace initcore {

template <typename T>
struct RowActivationKernels {
  /// y = softmax(x) of each row, or its logarithm; stable for any finite x. May run in place (y == x).
  void (*softmax_forward)(const T* x, T* y, Index rows, Index columns, bool log);

  /// dx = dy times the Jacobian, from y = f(x). May run in place (dx == dy).
  void (*softmax_backward)(const T* dy, const T* y, T* dx, Index rows, Index columns, bool log);

  /// y = x where x > 0, else alpha x, with one alpha per column. May run in place (y == x).
  /// He et al. 2015, arXiv:1502.01852, equation 1.
  void (*prelu_forward)(const T* x, const T* alpha, T* y, Index rows, Index columns);

  /// dx = dy f'(x); dalpha = the sum over rows of dy min(x, 0), in the order of the rows. Columns
  /// [begin, end) only. May run in place (dx == dy).
  void (*prelu_backward)(const T* dy, const T* x, const T* alpha, T* dx, T* dalpha, Index rows, Index columns,
                         Index begin, Index end);

  /// y = x where x > 0, else slopes x; slopes becomes 1 where x > 0. So dx = dy slopes.
  /// Xu et al. 2015, arXiv:1505.00853, section 2.4. May run in place (y == x).
  void (*rrelu_forward)(const T* x, T* slopes, T* y, Index n);
};

}  // namespace initcore
