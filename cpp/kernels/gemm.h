// Contract: the matrix product c = a b, in the layouts that training needs.
#pragma once

#include "index.h"
#include "kernels/activations.h"

namespace initcore {

enum class Layout {
  kNN,  // a (m, k),  b (k, n):  z = x w
  kNT,  // a (m, k),  b (n, k):  dx = dz w^T
  kTN,  // a (k, m),  b (k, n):  dw = x^T dz
};

/// c (m, n) = a b, row-major, with leading dimensions; c does not overlap a or b. Any of m, n, k may be 0.
///
/// Then, on each finished part of c while it is in cache: `activation` (c = f(c)), or `slope` (c *= f'(x),
/// where x and y = f(x) have c's leading dimension). Not both.
template <typename T>
struct Product {
  Layout layout = Layout::kNN;
  Index m = 0, n = 0, k = 0;
  const T* a = nullptr;
  Index lda = 0;
  const T* b = nullptr;
  Index ldb = 0;
  T* c = nullptr;
  Index ldc = 0;
  bool accumulate = false;  // c += a b instead
  const T* bias = nullptr;  // (n), added to every row
  Index bias_step = 1;      // 0: all columns share one
  const Activation<T>* activation = nullptr;
  const Activation<T>* slope = nullptr;
  const T* x = nullptr;
  const T* y = nullptr;
  double parameters[kMaxParameters] = {};
};

/// How a product is computed.
template <typename T>
struct Way {
  /// Into how many units the work divides. Units are parts of c: any split of them gives the same bits.
  Index units;

  /// Computes units [begin, end).
  void (*run)(const Product<T>& product, Index begin, Index end);
};

template <typename T>
struct GemmKernels {
  /// The way that suits the product's form: its layout, sizes and leading dimensions, and what it leaves
  /// null.
  Way<T> (*way)(const Product<T>& product);

  /// So many multiply-adds take about as long as one element of another kernel.
  Index per_element;
};

}  // namespace initcore
