// Losses that look at a whole row: the cross-entropies of a distribution over classes. To add one: write a
// struct like its neighbours and name it in `LossList` (loss_list.h).
#pragma once

#include "kernels/isa.h"
#include "kernels/vmath.h"

namespace initcore::INITCORE_ISA {

// row(p, target, columns, factor, gradient)  one row's loss; if gradient is not null, it is set to
//                                            factor dloss / dp.

namespace {

inline float exp(float x) { return __builtin_expf(x); }
inline double exp(double x) { return __builtin_exp(x); }
inline float log(float x) { return __builtin_logf(x); }
inline double log(double x) { return __builtin_log(x); }

template <typename T>
inline T largest(const T* x, Index n) {
  T result = x[0];
#pragma omp simd reduction(max : result)
  for (Index j = 0; j < n; ++j) result = result > x[j] ? result : x[j];
  return result;
}

template <typename T>
struct SparseCategoricalCrossentropyLogits {
  static constexpr const char* kName = "sparse_categorical_crossentropy_logits";
  static constexpr const char* kFormula =
      "-sum((y * (1 - label_smoothing) + label_smoothing / columns) * log_softmax(p))";
  static constexpr const char* kSource =
      "Bridle 1990; smoothing: Szegedy et al. 2016, arXiv:1512.00567, section 7";
  static constexpr Parameter kParameters[] = {{"label_smoothing", 0}};
  static constexpr bool kClasses = true;
  T label_smoothing;

  double row(const T* p, Index label, Index columns, T factor, T* gradient) const {
    const T top = largest(p, columns);
    const T even = label_smoothing / static_cast<T>(columns);
    T sum = 0, shifted_sum = 0;
    if (gradient) {
#pragma omp simd reduction(+ : sum, shifted_sum)
      for (Index j = 0; j < columns; ++j) {
        const T shifted = p[j] - top;
        const T e = exp(shifted);
        gradient[j] = e;
        sum += e;
        shifted_sum += shifted;
      }
      const T share = factor / sum;
#pragma omp simd
      for (Index j = 0; j < columns; ++j) gradient[j] = gradient[j] * share - factor * even;
      gradient[label] -= factor * (1 - label_smoothing);
    } else {
#pragma omp simd reduction(+ : sum, shifted_sum)
      for (Index j = 0; j < columns; ++j) {
        const T shifted = p[j] - top;
        sum += exp(shifted);
        shifted_sum += shifted;
      }
    }
    return double(log(sum)) - double(1 - label_smoothing) * double(p[label] - top) -
           double(even) * double(shifted_sum);
  }
};

}  // namespace

}  // namespace initcore::INITCORE_ISA
