// Contract: metrics, added up batch after batch in a few numbers. The list of them is at the end of
// metrics.cpp.
#pragma once

#include "index.h"

namespace initcore {

/// What a metric reads; row i of every array belongs to example i.
template <typename T>
struct MetricRows {
  const T* prediction;  // (rows, columns)
  const void* target;   // (rows, columns) of T, or (rows) of int32 class numbers: as Metric::classes says
  const T* weight;      // (rows); null for ones
  Index columns;
  double parameter;  // k or a threshold, where the metric has one
};

/// One metric, as every instruction set offers it.
template <typename T>
struct Metric {
  const char* name;
  bool classes;      // the target is class numbers
  Index per_column;  // the total has 1 + per_column * columns numbers, or 2 if this is 0

  /// Adds rows [0, n) to the total, which starts as zeros. In the order of the rows, on one thread.
  void (*add)(const MetricRows<T>& rows, Index n, double* total);
};

template <typename T>
struct MetricKernels {
  const Metric<T>* rows;
  Index count;
};

}  // namespace initcore
