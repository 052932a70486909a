// Products with one row or column of c, or few: one example, one output. Each number of b is used only a few
// times, so what counts is to read b once, in the order in which it lies, at the speed of the memory it lies
// in.
#pragma once

#include "kernels/units.h"
#include "kernels/vector.h"

namespace initcore::INITCORE_ISA {
namespace {

/// Rows of c up to which scalar products of rows are faster than transposing b.
inline constexpr Index kDotRows = 8;

/// Bytes of a single row of c from which row by row of b is faster than panel by panel.
inline constexpr Index kStreamedBytes = 1024;

/// Columns of a unit, and of how many units a thread takes at a time: long rows of b are read as they lie.
inline constexpr Index kThinColumns = 512, kThinUnits = 8;

/// A product with few rows. One with a single column is turned on its side: c^T = b^T a^T.
template <typename T>
struct Thin {
  Product<T> s;
  Index bias_step = 1;
  const std::int64_t* b_rows = nullptr;  // where the rows of b are, if they are not in order

  T a(Index i, Index p) const {
    return s.layout == Layout::kTN ? s.a[(s.rows ? s.rows[p] : p) * s.lda + i]
                                   : s.a[(s.rows ? s.rows[i] : i) * s.lda + p];
  }
  const T* b(Index row) const { return s.b + (b_rows ? b_rows[row] : row) * s.ldb; }
  T start(Index i, Index j) const {
    return s.accumulate ? s.c[i * s.ldc + j] : s.bias ? s.bias[j * bias_step] : T(0);
  }
};

template <typename T>
bool has_one_column(const Product<T>& s) {
  return s.n == 1 && s.ldc == 1 && (s.layout == Layout::kNT || s.ldb == 1);
}

template <typename T>
bool is_thin(const Product<T>& s) {
  if (has_one_column(s)) return true;
  if (s.layout == Layout::kNT) return s.m <= kDotRows;
  return s.m == 1 && s.n * Index(sizeof(T)) >= kStreamedBytes;
}

template <typename T>
Thin<T> thin(const Product<T>& s) {
  if (!has_one_column(s) || s.m <= 1) return {s};
  Thin<T> result{s, 0, s.rows};
  Product<T>& turned = result.s;
  turned.layout = s.layout == Layout::kTN ? Layout::kNN : Layout::kNT;
  turned.m = 1, turned.n = s.m, turned.ldc = s.m;
  turned.a = s.b, turned.lda = s.k, turned.rows = nullptr;
  turned.b = s.a, turned.ldb = s.lda;
  return result;
}

/// The row c += kDepth rows of b, from row p on, each times its element of a.
template <int kDepth, typename T>
INITCORE_INLINE void add_rows(const Thin<T>& t, Index p, Index j0, Index width) {
  constexpr Index kStep = kLanes<T>;
  T a[kDepth];
  const T* b[kDepth];
  for (int q = 0; q < kDepth; ++q) {
    a[q] = t.a(0, p + q);
    b[q] = t.b(p + q) + j0;
  }
  T* const c = t.s.c + j0;
  Index j = 0;
  for (; j + kStep <= width; j += kStep) {
    Vector<T> sum = load(c + j);
#pragma GCC unroll 4
    for (int q = 0; q < kDepth; ++q) sum += a[q] * load(b[q] + j);
    store<T>(c + j, sum);
  }
  for (; j < width; ++j)
    for (int q = 0; q < kDepth; ++q) c[j] += a[q] * b[q][j];
}

/// Columns [j0, j0 + width) of the row c = a b, b row by row.
template <typename T>
void stream(const Thin<T>& t, Index j0, Index width) {
  for (Index j = j0; j < j0 + width; ++j) t.s.c[j] = t.start(0, j);
  Index p = 0;
  for (; p + 4 <= t.s.k; p += 4) add_rows<4>(t, p, j0, width);
  for (; p < t.s.k; ++p) add_rows<1>(t, p, j0, width);
}

/// kRows rows from i0 on and kColumns columns from j0 on of c = a b^T: scalar products of rows.
template <int kRows, int kColumns, typename T>
INITCORE_INLINE void dots(const Thin<T>& t, Index i0, Index j0) {
  constexpr Index kStep = kLanes<T>;
  const T *a[kRows], *b[kColumns];
  for (int i = 0; i < kRows; ++i) a[i] = t.s.a + (t.s.rows ? t.s.rows[i0 + i] : i0 + i) * t.s.lda;
  for (int j = 0; j < kColumns; ++j) b[j] = t.b(j0 + j);
  Vector<T> sum[kRows][kColumns] = {};
  Index p = 0;
  for (; p + kStep <= t.s.k; p += kStep) {
#pragma GCC unroll 4
    for (int j = 0; j < kColumns; ++j) {
      const Vector<T> column = load(b[j] + p);
#pragma GCC unroll 4
      for (int i = 0; i < kRows; ++i) sum[i][j] += load(a[i] + p) * column;
    }
  }
  if (const Index rest = t.s.k - p) {
    Vector<T> row[kRows];
    for (int i = 0; i < kRows; ++i) row[i] = load_last(a[i], t.s.k, rest);
#pragma GCC unroll 4
    for (int j = 0; j < kColumns; ++j) {
      const Vector<T> column = load_last(b[j], t.s.k, rest);
#pragma GCC unroll 4
      for (int i = 0; i < kRows; ++i) sum[i][j] += row[i] * column;
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < kRows; ++i) {
    T* const c = t.s.c + (i0 + i) * t.s.ldc;
    T total[kColumns];
    if constexpr (kColumns == 4) {
      sums_of_lanes<T>(sum[i], total);
    } else {
      for (int j = 0; j < kColumns; ++j) total[j] = sum_of_lanes<T>(sum[i][j]);
    }
    for (int j = 0; j < kColumns; ++j) c[j0 + j] = t.start(i0 + i, j0 + j) + total[j];
  }
}

/// Rows [i, i + rows), rows <= kRows: dispatches to just that many.
template <int kRows, typename T>
void dots_of(const Thin<T>& t, Index i, Index rows, Index j0, Index width) {
  if constexpr (kRows > 0) {
    if (rows < kRows) return dots_of<kRows - 1>(t, i, rows, j0, width);
    Index j = j0;
    for (; j + 4 <= j0 + width; j += 4) dots<kRows, 4>(t, i, j);
    for (; j < j0 + width; ++j) dots<kRows, 1>(t, i, j);
  }
}

template <typename T>
void run_thin(const Product<T>& s, Index begin, Index end) {
  const Thin<T> t = thin(s);
  each_panel(
      t.s, kBlock, kThinColumns, begin, end,
      [&t](Index j0, Index width, Index, Index) {
        if (t.s.layout == Layout::kNT) {
          for (Index i = 0; i < t.s.m; i += 4) dots_of<4>(t, i, min<Index>(4, t.s.m - i), j0, width);
        } else {
          stream(t, j0, width);
        }
        finish(t.s, 0, t.s.m, j0, width);
      },
      kThinUnits);
}

}  // namespace
}  // namespace initcore::INITCORE_ISA
