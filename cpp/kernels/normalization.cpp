// Batch normalization, a strip of columns at a time: its statistics stay in registers while the rows pass.
#include "kernels/normalization.h"

#include "kernels/both.h"
#include "kernels/isa.h"

namespace initcore::INITCORE_ISA {
namespace {

template <typename T>
inline constexpr Index kStrip = 2 * kLanes<T>;

template <typename T>
inline T inverse_root(T variance, T epsilon) {
  return T(1) / static_cast<T>(__builtin_sqrt(variance + epsilon));
}

template <>
inline float inverse_root(float variance, float epsilon) {
  return 1.0f / __builtin_sqrtf(variance + epsilon);
}

/// y = scale[s] * (x - center[s]) + shift[s] over the strip's columns [j, j + width).
template <typename T>
void affine(const T* x, Index n, Index columns, Index j, Index width, const T* center, const T* scale,
            const T* shift, T* y) {
  for (Index i = 0; i < n; ++i) {
    const T* from = x + i * columns + j;
    T* to = y + i * columns + j;
#pragma omp simd
    for (Index s = 0; s < width; ++s) to[s] = scale[s] * (from[s] - center[s]) + shift[s];
  }
}

template <typename T>
void forward(const T* x, const T* gamma, const T* beta, Index n, Index columns, T epsilon, T momentum,
             T* mean, T* inverse, T* moving_mean, T* moving_variance, T* y, Index begin, Index end) {
  for (Index j = begin; j < end; j += kStrip<T>) {
    const Index width = min(kStrip<T>, end - j);
    T center[kStrip<T>] = {}, variance[kStrip<T>] = {}, scale[kStrip<T>];
    const T share = n > 0 ? T(1) / static_cast<T>(n) : T(0);
    for (Index i = 0; i < n; ++i)
#pragma omp simd
      for (Index s = 0; s < width; ++s) center[s] += x[i * columns + j + s];
    for (Index s = 0; s < width; ++s) center[s] *= share;
    for (Index i = 0; i < n; ++i)  // a second pass: E[x^2] - E[x]^2 would cancel
#pragma omp simd
      for (Index s = 0; s < width; ++s) {
        const T d = x[i * columns + j + s] - center[s];
        variance[s] += d * d;
      }
    for (Index s = 0; s < width; ++s) {
      variance[s] *= share;
      mean[j + s] = center[s];
      inverse[j + s] = inverse_root(variance[s], epsilon);
      scale[s] = gamma[j + s] * inverse[j + s];
      moving_mean[j + s] = momentum * moving_mean[j + s] + (1 - momentum) * center[s];
      moving_variance[j + s] = momentum * moving_variance[j + s] + (1 - momentum) * variance[s];
    }
    affine(x, n, columns, j, width, center, scale, beta + j, y);
  }
}

template <typename T>
void inference(const T* x, const T* gamma, const T* beta, Index n, Index columns, T epsilon,
               const T* moving_mean, const T* moving_variance, T* y, Index begin, Index end) {
  for (Index j = begin; j < end; j += kStrip<T>) {
    const Index width = min(kStrip<T>, end - j);
    T scale[kStrip<T>];
    for (Index s = 0; s < width; ++s) scale[s] = gamma[j + s] * inverse_root(moving_variance[j + s], epsilon);
    affine(x, n, columns, j, width, moving_mean + j, scale, beta + j, y);
  }
}

/// dgamma = sum dy x_hat and dbeta = sum dy over the strip, where x_hat = (x - center) inverse.
template <typename T>
void sums(const T* dy, const T* x, const T* center, const T* inverse, Index n, Index columns, Index j,
          Index width, T* dgamma, T* dbeta) {
  T by_x[kStrip<T>] = {}, plain[kStrip<T>] = {};
  for (Index i = 0; i < n; ++i)
#pragma omp simd
    for (Index s = 0; s < width; ++s) {
      const Index at = i * columns + j + s;
      plain[s] += dy[at];
      by_x[s] += dy[at] * (x[at] - center[s]);
    }
  for (Index s = 0; s < width; ++s) {
    dgamma[s] = by_x[s] * inverse[s];
    dbeta[s] = plain[s];
  }
}

template <typename T>
void backward(const T* dy, const T* x, const T* gamma, const T* mean, const T* inverse, Index n,
              Index columns, T* dx, T* dgamma, T* dbeta, Index begin, Index end) {
  for (Index j = begin; j < end; j += kStrip<T>) {
    const Index width = min(kStrip<T>, end - j);
    sums(dy, x, mean + j, inverse + j, n, columns, j, width, dgamma + j, dbeta + j);
    // dx = gamma inverse (dy - dbeta / n - x_hat dgamma / n)
    T scale[kStrip<T>], slope[kStrip<T>], shift[kStrip<T>];
    const T share = n > 0 ? T(1) / static_cast<T>(n) : T(0);
    for (Index s = 0; s < width; ++s) {
      scale[s] = gamma[j + s] * inverse[j + s];
      slope[s] = inverse[j + s] * dgamma[j + s] * share;
      shift[s] = dbeta[j + s] * share;
    }
    for (Index i = 0; i < n; ++i)
#pragma omp simd
      for (Index s = 0; s < width; ++s) {
        const Index at = i * columns + j + s;
        dx[at] = scale[s] * (dy[at] - shift[s] - (x[at] - mean[j + s]) * slope[s]);
      }
  }
}

template <typename T>
void inference_backward(const T* dy, const T* x, const T* gamma, Index n, Index columns, T epsilon,
                        const T* moving_mean, const T* moving_variance, T* dx, T* dgamma, T* dbeta,
                        Index begin, Index end) {
  for (Index j = begin; j < end; j += kStrip<T>) {
    const Index width = min(kStrip<T>, end - j);
    T inverse[kStrip<T>], scale[kStrip<T>];
    for (Index s = 0; s < width; ++s) {
      inverse[s] = inverse_root(moving_variance[j + s], epsilon);
      scale[s] = gamma[j + s] * inverse[s];
    }
    sums(dy, x, moving_mean + j, inverse, n, columns, j, width, dgamma + j, dbeta + j);
    for (Index i = 0; i < n; ++i)
#pragma omp simd
      for (Index s = 0; s < width; ++s) dx[i * columns + j + s] = scale[s] * dy[i * columns + j + s];
  }
}

template <typename T>
constexpr NormalizationKernels<T> table() {
  return {forward<T>, inference<T>, backward<T>, inference_backward<T>};
}

}  // namespace

extern const Both<NormalizationKernels> normalization;
constinit const Both<NormalizationKernels> normalization{table<float>(), table<double>()};

}  // namespace initcore::INITCORE_ISA
