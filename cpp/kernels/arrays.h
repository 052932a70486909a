// Contract: what moves and joins arrays: gathering a batch, sums of columns, elementwise sums and products.
#pragma once

#include "index.h"

namespace initcore {

/// Examples [first, first + n) of a run of `total`, each a row of a data set: row order[i], or row i if null.
struct Examples {
  const std::int64_t* order;
  Index first, n, total;
};

template <typename T>
struct ArrayKernels {
  /// out (n, columns): the rows of these examples, as T. Those of the next ones are fetched into the cache.
  void (*gather_f32)(const float* source, const Examples& examples, Index columns, T* out);
  void (*gather_f64)(const double* source, const Examples& examples, Index columns, T* out);
  /// Bytes become source * scale: pictures in 0..255 become numbers in 0..1.
  void (*gather_u8)(const std::uint8_t* source, const Examples& examples, Index columns, T scale, T* out);

  /// out[j] = sum over i of x[i, j], for j in [begin, end). The order of a sum depends on n alone, so equal
  /// columns have equal sums.
  void (*column_sum)(const T* x, Index n, Index columns, Index begin, Index end, T* out);

  /// y = a + b, y = a * b. May run in place.
  void (*add)(const T* a, const T* b, T* y, Index n);
  void (*multiply)(const T* a, const T* b, T* y, Index n);
};

}  // namespace initcore
