// Contract: the matrix product with operands rounded to bfloat16, one kernel per row of BF16_ROWS in
// CMakeLists.txt. To add one: such a row, and kernels/bf16/<name>.cpp.
#pragma once

#include "kernels/gemm.h"

namespace initcore {

/// As GemmKernels<float>, all layouts and epilogues included, but each element of a and b is first rounded to
/// the nearest bfloat16 (8 significant bits, ties to even), and the products of these, which are exact, are
/// summed in float32. Of subnormal numbers, operands and sums of products alike, nothing remains but zero;
/// NaN and infinity come through. c, bias and what the epilogues read are float32.
struct Bf16Kernels {
  const char* name;
  GemmKernels<float> gemm;

  /// The roof it is measured beside, as in roof.h: `values` += 2 `factor`, as two products of bfloat16
  /// numbers, `rounds` times in registers. There are `sums` values.
  Index sums;
  void (*multiply_add)(float* values, float factor, Index rounds);

  /// Whether registers of a kind that virtual machines have been seen to lose keep what they hold while
  /// `pause` runs. Null if there are none.
  bool (*kept)(void (*pause)() noexcept);
};

}  // namespace initcore
