// The loops of softmax, prelu and rrelu.
#include "kernels/row_activations.h"

#include "kernels/both.h"
#include "kernels/largest.h"
#include "kernels/vmath.h"

namespace initcore::INITCORE_ISA {
namespace {

template <typename T>
void softmax_forward(const T* x, T* y, Index rows, Index columns, bool log) {
  for (Index i = 0; i < rows; ++i, x += columns, y += columns) {
    const T top = largest(x, columns);
    T sum = 0;
    if (log) {
#pragma omp simd reduction(+ : sum)
      for (Index j = 0; j < columns; ++j) sum += exp(x[j] - top);
      const T shift = initcore::INITCORE_ISA::log(sum);
#pragma omp simd
      for (Index j = 0; j < columns; ++j) y[j] = (x[j] - top) - shift;
    } else {
#pragma omp simd reduction(+ : sum)
      for (Index j = 0; j < columns; ++j) {
        y[j] = exp(x[j] - top);
        sum += y[j];
      }
      const T scale = 1 / sum;
#pragma omp simd
      for (Index j = 0; j < columns; ++j) y[j] *= scale;
    }
  }
}

template <typename T>
void softmax_backward(const T* dy, const T* y, T* dx, Index rows, Index columns, bool log) {
  for (Index i = 0; i < rows; ++i, dy += columns, y += columns, dx += columns) {
    T sum = 0;
    if (log) {
#pragma omp simd reduction(+ : sum)
      for (Index j = 0; j < columns; ++j) sum += dy[j];
#pragma omp simd
      for (Index j = 0; j < columns; ++j) dx[j] = dy[j] - sum * exp(y[j]);
    } else {
#pragma omp simd reduction(+ : sum)
      for (Index j = 0; j < columns; ++j) sum += dy[j] * y[j];
#pragma omp simd
      for (Index j = 0; j < columns; ++j) dx[j] = y[j] * (dy[j] - sum);
    }
  }
}

template <typename T>
void prelu_forward(const T* x, const T* alpha, T* y, Index rows, Index columns) {
  for (Index i = 0; i < rows; ++i, x += columns, y += columns)
#pragma omp simd
    for (Index j = 0; j < columns; ++j) {
      const T negative = alpha[j] * x[j];  // read in any case: a load that depends on data is no vector's
      y[j] = x[j] > 0 ? x[j] : negative;
    }
}

template <typename T>
void prelu_backward(const T* dy, const T* x, const T* alpha, T* dx, T* dalpha, Index rows, Index columns,
                    Index begin, Index end) {
  for (Index j = begin; j < end; ++j) dalpha[j] = 0;
  for (Index i = 0; i < rows; ++i, dy += columns, x += columns, dx += columns)
#pragma omp simd
    for (Index j = begin; j < end; ++j) {
      const T g = dy[j], along_alpha = g * x[j], negative = g * alpha[j];
      dalpha[j] += x[j] > 0 ? T(0) : along_alpha;
      dx[j] = x[j] > 0 ? g : negative;
    }
}

template <typename T>
void rrelu_forward(const T* x, T* slopes, T* y, Index n) {
#pragma omp simd
  for (Index i = 0; i < n; ++i) {
    const T negative = slopes[i], slope = x[i] > 0 ? T(1) : negative;
    slopes[i] = slope;
    y[i] = slope * x[i];
  }
}

template <typename T>
constexpr RowActivationKernels<T> table() {
  return {softmax_forward<T>, softmax_backward<T>, prelu_forward<T>, prelu_backward<T>, rrelu_forward<T>};
}

}  // namespace

extern const Both<RowActivationKernels> row_activations;
constinit const Both<RowActivationKernels> row_activations{table<float>(), table<double>()};

}  // namespace initcore::INITCORE_ISA
