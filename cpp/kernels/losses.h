// Contract: losses with their gradients. The list of them is at the end of loss_list.h.
#pragma once

#include "index.h"
#include "kernels/parameters.h"

namespace initcore {

/// What a loss reads and writes; row i of every array belongs to example i.
template <typename T>
struct LossRows {
  const T* prediction;  // (rows, columns)
  const void* target;   // (rows, columns) of T, or (rows) of int32 class numbers: as Loss::classes says
  const T* weight;      // (rows); null for ones
  T* gradient;          // (rows, columns); null if only the value is wanted
  Index columns;
  double scale;              // of the gradient: 1 / rows for the mean over a batch
  const double* parameters;  // kMaxParameters values
};

/// One loss, as every instruction set offers it.
template <typename T>
struct Loss {
  const char* name;
  const char*
      formula;  // of one row, in Python syntax: p prediction, y target (one-hot if classes), mean, sum ...
  const char* source;
  Parameter parameters[kMaxParameters];
  bool classes;  // the target is class numbers

  /// Returns the sum of weight_i loss_i over rows [begin, end), added in a fixed order, and sets
  /// gradient_ij = scale weight_i dloss_i / dprediction_ij. A class that is no column makes both NaN.
  double (*run)(const LossRows<T>& rows, Index begin, Index end);
};

template <typename T>
struct LossKernels {
  const Loss<T>* rows;
  Index count;
};

}  // namespace initcore
