// How every matrix product is cut into units of work, and what is done to the finished parts of c.
#pragma once

#include "kernels/gemm.h"
#include "kernels/isa.h"

namespace initcore::INITCORE_ISA {
namespace {

/// Rows of a block: a multiple of the heights of all tiles in registers.
inline constexpr Index kBlock = 48;

/// Columns of a unit where b is read as it lies, and of how many units a thread takes at a time: its rows are
/// long.
inline constexpr Index kLongColumns = 512, kLongUnits = 8;

/// Columns [j0, j0 + width) of c as a product of its own.
template <typename T>
Product<T> columns_of(const Product<T>& s, Index j0, Index width) {
  Product<T> part = s;
  part.n = width;
  part.b += s.layout == Layout::kNT ? j0 * s.ldb : j0;
  part.c += j0;
  if (s.bias) part.bias += j0 * s.bias_step;
  for (const T** other : {&part.x, &part.y})
    if (*other) *other += j0;
  return part;
}

/// Numbers [p0, p0 + depth) of each sum as a product of their own, which adds to what those before them left,
/// and is finished if they are the last.
template <typename T>
Product<T> part_of(const Product<T>& s, Index p0, Index depth) {
  Product<T> part = s;
  part.k = depth;
  part.a += s.layout == Layout::kTN ? p0 * s.lda : p0;
  part.b += s.layout == Layout::kNT ? p0 : p0 * s.ldb;
  part.accumulate = s.accumulate || p0 > 0;
  if (p0 + depth < s.k) part.activation = nullptr, part.slope = nullptr;
  return part;
}

/// How many units there are. A unit is one block of `rows` of one panel of `columns`.
template <typename T>
Index count_units(const Product<T>& s, Index rows, Index columns) {
  if (s.m <= rows && s.n <= columns)
    return s.m > 0 && s.n > 0;  // many products are so small that divisions count
  return ((s.m + rows - 1) / rows) * ((s.n + columns - 1) / columns);
}

/// Calls run(j0, width, i0, i1), rows [i0, i1) of the panel [j0, j0 + width), until units [begin, end) are
/// done. Units of the same panel come together, so that its part of b is packed once; so do up to `most`
/// panels of which all rows are to be done.
template <typename T, typename Run>
void each_panel(const Product<T>& s, Index rows, Index columns, Index begin, Index end, Run run,
                Index most = 1) {
  if (s.m <= rows && s.n <= columns) {
    if (begin < end) run(Index(0), s.n, Index(0), s.m);
    return;
  }
  const Index blocks = (s.m + rows - 1) / rows;
  while (begin < end) {
    const Index panel = begin / blocks;
    const Index whole = max<Index>(1, begin == panel * blocks ? min(most, (end - begin) / blocks) : 1);
    const Index stop = min(end, (panel + whole) * blocks);
    const Index i0 = (begin - panel * blocks) * rows;
    const Index i1 = whole > 1 ? s.m : min(s.m, (stop - panel * blocks) * rows);
    const Index j0 = panel * columns;
    run(j0, min(whole * columns, s.n - j0), i0, i1);
    begin = stop;
  }
}

template <typename T>
void finish_span(const Product<T>& s, Index at, Index n) {
  if (s.activation) {
    s.activation->forward(s.c + at, s.c + at, n, s.parameters);
  } else {
    s.slope->backward(s.c + at, s.x ? s.x + at : nullptr, s.y ? s.y + at : nullptr, s.c + at, n,
                      s.parameters);
  }
}

/// Activation or slope, for rows [i, i + rows) of columns [j0, j0 + width) of c.
template <typename T>
void finish(const Product<T>& s, Index i, Index rows, Index j0, Index width) {
  if (!s.activation && !s.slope) return;
  if (width == s.ldc) {  // the rows are one piece
    finish_span(s, i * s.ldc, rows * width);
  } else {
    for (Index r = i; r < i + rows; ++r) finish_span(s, r * s.ldc + j0, width);
  }
}

}  // namespace
}  // namespace initcore::INITCORE_ISA
