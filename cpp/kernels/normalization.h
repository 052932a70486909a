// Contract: batch normalization. Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1.
#pragma once

#include "index.h"

namespace initcore {

/// Arrays (n, columns) row-major, the others (columns); each call does the columns [begin, end).
template <typename T>
struct NormalizationKernels {
  /// Training: mean[j] and inverse[j] = 1 / sqrt(variance + epsilon) of this batch, and
  /// y = gamma (x - mean) inverse + beta. Then moving = momentum * moving + (1 - momentum) * batch's.
  void (*forward)(const T* x, const T* gamma, const T* beta, Index n, Index columns, T epsilon, T momentum,
                  T* mean, T* inverse, T* moving_mean, T* moving_variance, T* y, Index begin, Index end);

  /// Inference: y = gamma (x - moving_mean) / sqrt(moving_variance + epsilon) + beta.
  void (*inference)(const T* x, const T* gamma, const T* beta, Index n, Index columns, T epsilon,
                    const T* moving_mean, const T* moving_variance, T* y, Index begin, Index end);

  /// Gradients of the training form; dx may be dy. Section 3 of the paper, simplified.
  void (*backward)(const T* dy, const T* x, const T* gamma, const T* mean, const T* inverse, Index n,
                   Index columns, T* dx, T* dgamma, T* dbeta, Index begin, Index end);

  /// Gradients of the inference form, in which mean and variance are constants.
  void (*inference_backward)(const T* dy, const T* x, const T* gamma, Index n, Index columns, T epsilon,
                             const T* moving_mean, const T* moving_variance, T* dx, T* dgamma, T* dbeta,
                             Index begin, Index end);
};

}  // namespace initcore
