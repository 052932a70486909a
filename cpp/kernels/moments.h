// Contract: what the values of a layer look like, column by column, for diagnosis.
#pragma once

#include "index.h"

namespace initcore {

/// The numbers kept for each column, in this order.
enum Moment : Index {
  kMean,       // mean
  kSquares,    // sum of squares around the mean
  kMaxAbs,     // largest |x|
  kZeros,      // how many are 0
  kSaturated,  // how many are <= low or >= high
  kNonfinite,  // how many are NaN or infinite
  kMoments
};

template <typename T>
struct MomentKernels {
  /// Sets out[moment * columns + j] for column j of x (rows, columns), rows >= 1. In double, two passes.
  void (*columns)(const T* x, Index rows, Index columns, double low, double high, double* out);
};

}  // namespace initcore
