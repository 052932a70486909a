// Products whose c is a single row: one example, one output. Each number of b is used once, so what counts is
// to read b in the order in which it lies, at the speed of the memory it lies in.
#pragma once

#include "kernels/units.h"
#include "kernels/vector.h"

namespace initcore::INITCORE_ISA {
namespace {

/// Bytes of a row of c from which row by row of b is faster than panel by panel. (With AVX-512, 1024 are a
/// single panel, which keeps its sums in registers.)
inline constexpr Index kStreamedBytes = kRegisters == 32 ? 1025 : 1024;

/// Whether c is a single column that can be a single row instead: c^T = b^T a^T.
template <typename T>
bool is_column(const Product<T>& s) {
  return s.n == 1 && s.ldc == 1 && (s.layout == Layout::kNT ? s.m > 1 : s.ldb == 1);
}

/// Whether a or b is a single column in one piece: a row, that is. (One number is either.)
template <typename T>
bool has_column(const Product<T>& s) {
  return (s.layout == Layout::kTN && s.m == 1 && s.lda == 1) ||
         (s.layout == Layout::kNT && s.k == 1 && s.ldb == 1 && s.n > 1);
}

/// Whether something of s lies down to become a row.
template <typename T>
bool stands(const Product<T>& s) {
  return is_column(s) || has_column(s);
}

/// The same product with rows in the place of columns.
template <typename T>
Product<T> lying(const Product<T>& s) {
  Product<T> result = s;
  if (has_column(s)) {
    result.layout = Layout::kNN;
    if (s.layout == Layout::kTN) result.lda = s.k;
    if (s.layout == Layout::kNT) result.ldb = s.n;
  }
  if (!is_column(s)) return result;
  result.layout = result.layout == Layout::kTN ? Layout::kNN : Layout::kNT;
  result.b = s.a, result.ldb = result.lda;
  result.a = s.b, result.lda = s.k;
  result.m = 1, result.n = s.m, result.ldc = s.m;
  result.bias_step = 0;
  return result;
}

/// Whether c is a row so long that b is best read row by row. It is summed in the order in which panels are,
/// so that an example alone gives the bits that it gives in a batch.
template <typename T>
bool is_long_row(const Product<T>& s) {
  return s.m == 1 && s.layout == Layout::kNN && s.n * Index(sizeof(T)) >= kStreamedBytes;
}

/// Columns [j0, j0 + width) of the row c = from + kDepth rows of b, from row p on, each times its element of
/// a. from: (width), or null for 0.
template <int kDepth, typename T>
INITCORE_INLINE void add_rows(const Product<T>& s, Index p, Index j0, Index width, const T* from) {
  constexpr Index kStep = kLanes<T>;
  T a[kDepth];
  const T* b[kDepth];
  for (int q = 0; q < kDepth; ++q) {
    a[q] = s.a[p + q];
    b[q] = s.b + (p + q) * s.ldb + j0;
  }
  T* const c = s.c + j0;
  Index j = 0;
  for (; j + kStep <= width; j += kStep) {
    Vector<T> sum = from ? load(from + j) : Vector<T>{};
#pragma GCC unroll 4
    for (int q = 0; q < kDepth; ++q) sum += a[q] * load(b[q] + j);
    store<T>(c + j, sum);
  }
  for (; j < width; ++j) {
    T sum = from ? from[j] : T(0);
    for (int q = 0; q < kDepth; ++q) sum += a[q] * b[q][j];
    c[j] = sum;
  }
}

/// Columns [j0, j0 + width) of the row c = a b, b row by row.
template <typename T>
void stream(const Product<T>& s, Index j0, Index width) {
  T* const c = s.c + j0;
  const T* from = s.accumulate ? c : s.bias ? s.bias + j0 : nullptr;
  if (s.k == 0 || (s.bias && s.bias_step == 0)) {
    for (Index j = 0; j < width; ++j)
      c[j] = s.accumulate ? c[j] : s.bias ? s.bias[(j0 + j) * s.bias_step] : T(0);
    from = c;
  }
  Index p = 0;
  for (; p + 4 <= s.k; p += 4, from = c) add_rows<4>(s, p, j0, width, from);
  for (; p < s.k; ++p, from = c) add_rows<1>(s, p, j0, width, from);
}

template <typename T>
void run_long_row(const Product<T>& s, Index begin, Index end) {
  each_panel(
      s, kBlock, kLongColumns, begin, end,
      [&s](Index j0, Index width, Index, Index) {
        stream(s, j0, width);
        finish(s, 0, 1, j0, width);
      },
      kLongUnits);
}

}  // namespace
}  // namespace initcore::INITCORE_ISA
