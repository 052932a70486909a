// Moments of columns: a tile of columns at a time, its sums in registers while the rows go by.
#include "kernels/moments.h"

#include "kernels/both.h"
#include "kernels/vmath.h"

namespace initcore::INITCORE_ISA {
namespace {

template <Index kWidth, typename T>
void tile(const T* x, Index rows, Index columns, double low, double high, double* out) {
  const T lower = static_cast<T>(low), upper = static_cast<T>(high);
  // Summed from the first row on, so that equal values have a variance of exactly 0.
  double first[kWidth], sum[kWidth] = {};
  for (Index l = 0; l < kWidth; ++l) first[l] = static_cast<double>(x[l]);
  for (Index i = 1; i < rows; ++i) {
#pragma omp simd
    for (Index l = 0; l < kWidth; ++l) sum[l] += static_cast<double>(x[i * columns + l]) - first[l];
  }
  double mean[kWidth], squares[kWidth] = {};
  for (Index l = 0; l < kWidth; ++l) mean[l] = first[l] + sum[l] / static_cast<double>(rows);
  for (Index i = 0; i < rows; ++i) {
#pragma omp simd
    for (Index l = 0; l < kWidth; ++l) {
      const double difference = static_cast<double>(x[i * columns + l]) - mean[l];
      squares[l] += difference * difference;
    }
  }
  // Counts are numbers of type T: exact, as a call has fewer than 2^24 rows.
  T peak[kWidth] = {}, zeros[kWidth] = {}, saturated[kWidth] = {}, nonfinite[kWidth] = {};
  for (Index i = 0; i < rows; ++i) {
#pragma omp simd
    for (Index l = 0; l < kWidth; ++l) {
      const T value = x[i * columns + l], size = abs(value);
      peak[l] = size > peak[l] ? size : peak[l];
      zeros[l] += value == 0 ? T(1) : T(0);
      saturated[l] += (value <= lower ? T(1) : T(0)) + (value >= upper ? T(1) : T(0));
      nonfinite[l] += value - value == 0 ? T(0) : T(1);
    }
  }
  for (Index l = 0; l < kWidth; ++l) {
    out[kMean * columns + l] = mean[l];
    out[kSquares * columns + l] = squares[l];
    out[kMaxAbs * columns + l] = static_cast<double>(peak[l]);
    out[kZeros * columns + l] = static_cast<double>(zeros[l]);
    out[kSaturated * columns + l] = static_cast<double>(saturated[l]);
    out[kNonfinite * columns + l] = static_cast<double>(nonfinite[l]);
  }
}

template <typename T>
void columns(const T* x, Index rows, Index count, double low, double high, double* out) {
  constexpr Index kWidth = kLanes<T>;
  const Index whole = count - count % kWidth;
  for (Index j = 0; j < whole; j += kWidth) tile<kWidth>(x + j, rows, count, low, high, out + j);
  for (Index j = whole; j < count; ++j) tile<1>(x + j, rows, count, low, high, out + j);
}

}  // namespace

extern const Both<MomentKernels> moments;
constinit const Both<MomentKernels> moments{{columns<float>}, {columns<double>}};

}  // namespace initcore::INITCORE_ISA
