// Contract: optimizers, the norms that clip their gradients, and the penalties that regularize. The list of
// update rules is at the end of optimizer_list.h.
#pragma once

#include "index.h"

namespace initcore {

/// At most this many hyperparameters, slots (vectors like the parameters), persistent scalars and prepared
/// coefficients.
inline constexpr int kMaxHyperparameters = 4;
inline constexpr int kMaxSlots = 3;
inline constexpr int kMaxScalars = 1;
inline constexpr int kMaxCoefficients = 8;

/// What every rule does to its operands first: w becomes keep * w (decoupled weight decay), and g becomes
/// scale * g (clipping by norm), cut to [-limit, limit] (clipping by value). NaN stays NaN.
template <typename T>
struct Preliminary {
  T keep = 1;
  T scale = 1;
  T limit = static_cast<T>(__builtin_inf());
};

/// One optimizer, as every instruction set offers it.
template <typename T>
struct UpdateRule {
  const char* name;
  const char* source;
  const char* hyperparameters[kMaxHyperparameters];  // null past the last one
  const char* slots[kMaxSlots];
  const char* scalars[kMaxScalars];

  /// What step number t (from 1) needs, worked out once: bias corrections and the like. Brings the
  /// persistent scalars from step t - 1 to t; whatever they hold before step 1 is ignored.
  void (*prepare)(const double* hyperparameters, std::int64_t t, double rate, double* scalars,
                  T* coefficients);

  /// Updates w and the slots in one pass. Slots start as zeros. slots: kMaxSlots pointers.
  void (*step)(T* w, const T* g, T* const* slots, Index n, const Preliminary<T>& preliminary,
               const T* coefficients);
};

template <typename T>
struct OptimizerKernels {
  const UpdateRule<T>* rows;
  Index count;

  /// The sum of x[i]^2.
  double (*sum_of_squares)(const T* x, Index n);

  /// Returns the sum of l1 |w[i]| + l2 w[i]^2, and adds its derivative by w[i] to g[i] unless g is null.
  double (*penalty)(const T* w, T* g, Index n, double l1, double l2);
};

}  // namespace initcore
