// Contract: what the processor can do at best: multiply-adds in registers, and memory read and written.
//
// Other kernels are measured beside these. Each does what it says on the numbers that it is given, so that a
// test can check it, and nothing else, so that nothing is faster.
#pragma once

#include "index.h"

namespace initcore {

template <typename T>
struct RoofKernels {
  /// How many sums multiply_add() keeps: enough to hide the latency of an operation, few enough to stay in
  /// registers.
  Index sums;

  /// sum = sum * factor + term, `rounds` times, for each of the `sums` values: 2 * sums * rounds operations,
  /// all but those of the same sum independent. Loads and stores happen only before and after.
  void (*multiply_add)(T* values, T factor, T term, Index rounds);

  /// Returns the sum of x: n elements read.
  T (*sum)(const T* x, Index n);

  /// a = b + factor * c: 2 n elements read, n written. STREAM's triad: www.cs.virginia.edu/stream
  void (*triad)(T* a, const T* b, const T* c, T factor, Index n);

  /// p = p * factor + g for each of three vectors: 4 n elements read, 3 n written. The traffic of an
  /// optimizer with two slots (Adam: parameters, first and second moment; g is the gradient) and no
  /// arithmetic to speak of.
  void (*update)(T* first, T* second, T* third, const T* g, T factor, Index n);
};

}  // namespace initcore
