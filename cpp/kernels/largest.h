// The largest of many numbers: one running maximum for each lane. Clang does not vectorize a plain reduction,
// whose result would depend on the order if there were a NaN.
#pragma once

#include "kernels/vmath.h"

namespace initcore::INITCORE_ISA {
namespace {

/// The largest of n numbers, -inf if there are none; a NaN may or may not count.
template <typename T>
T largest(const T* x, Index n) {
  constexpr Index kWidth = kLanes<T>;
  T lane[kWidth];
  for (Index l = 0; l < kWidth; ++l) lane[l] = -Format<T>::kInfinity;
  const Index whole = n - n % kWidth;
  for (Index j = 0; j < whole; j += kWidth) {
#pragma omp simd
    for (Index l = 0; l < kWidth; ++l) lane[l] = max(lane[l], x[j + l]);
  }
  T result = lane[0];
  for (Index l = 1; l < kWidth; ++l) result = max(result, lane[l]);
  for (Index j = whole; j < n; ++j) result = max(result, x[j]);
  return result;
}

}  // namespace
}  // namespace initcore::INITCORE_ISA
