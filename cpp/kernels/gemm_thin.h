// Products with one row or column of c, or few: one example, one output. Each number of b is used only a few
// times, so what counts is to read b once, in the order in which it lies, at the speed of the memory it lies
// in.
#pragma once

#include "kernels/gemm_transpose.h"
#include "kernels/units.h"
#include "kernels/vector.h"

namespace initcore::INITCORE_ISA {
namespace {

/// Rows of c up to which scalar products of rows are faster than transposing b.
inline constexpr Index kDotRows = 8;

/// Bytes of a single row of c from which row by row of b is faster than panel by panel.
inline constexpr Index kStreamedBytes = 1025;

/// Columns of a unit, and of how many units a thread takes at a time: long rows of b are read as they lie.
inline constexpr Index kThinColumns = 512, kThinUnits = 8;

/// A product with few rows or columns. One with a single column is turned on its side: c^T = b^T a^T.
template <typename T>
struct Thin {
  using Sums = ShortVector<T, kSumColumns<T>>;
  Product<T> s;
  Index bias_step = 1;

  T a(Index i, Index p) const { return s.layout == Layout::kTN ? s.a[p * s.lda + i] : s.a[i * s.lda + p]; }
  const T* b(Index row) const { return s.b + row * s.ldb; }

  /// What elements (i, j) to (i, j + kCount) are before the product is added; of the others nothing is said.
  template <int kCount>
  INITCORE_INLINE Sums start(Index i, Index j) const {
    const T* const from = s.accumulate ? s.c + i * s.ldc + j : s.bias ? s.bias + j * bias_step : nullptr;
    const Index step = s.accumulate ? 1 : bias_step;
    Sums result = {};
#pragma GCC unroll 4
    for (int q = 0; q < kCount; ++q)  // one by one: the processor would wait for what a copy just wrote
      if (from) result[q] = from[q * step];
    return result;
  }
};

template <typename T>
bool has_one_column(const Product<T>& s) {
  return s.n == 1 && s.ldc == 1 && (s.layout == Layout::kNT || s.ldb == 1);
}

/// Whether the columns of c are so few that scalar products along k are faster than vectors along its rows,
/// the last of them mostly empty. Counted in eighths of a multiply-add, as measured on AVX2 and AVX-512: of a
/// scalar product each vector takes eight and adding up the lanes 20; where b lies along n, transposing an
/// element of it takes nine; and rows are computed by fours at least.
template <typename T>
bool has_few_columns(const Product<T>& s) {
  constexpr Index kW = kLanes<T>;
  if (s.layout == Layout::kTN || s.k < kW || s.n >= (s.layout == Layout::kNT ? 2 * kW : kW)) return false;
  const auto parts_of = [](Index n, Index step) { return (n + step - 1) / step; };
  const Index products = s.m * s.n * (8 * parts_of(s.k, kW) + 20);
  const Index transposition = s.layout == Layout::kNT ? 0 : 9 * s.n * s.k;
  return products + transposition < 4 * parts_of(s.m, 4) * parts_of(s.n, kW) * 8 * s.k;
}

template <typename T>
bool is_thin(const Product<T>& s) {
  return has_one_column(s) || (s.layout == Layout::kNT && s.m <= kDotRows) ||
         (s.m == 1 && s.n * Index(sizeof(T)) >= kStreamedBytes) || has_few_columns(s);
}

template <typename T>
Thin<T> thin(const Product<T>& s) {
  if (!has_one_column(s) || s.m <= 1) return {s};
  Thin<T> result{s, 0};
  Product<T>& turned = result.s;
  turned.layout = s.layout == Layout::kTN ? Layout::kNN : Layout::kNT;
  turned.m = 1, turned.n = s.m, turned.ldc = s.m;
  turned.a = s.b, turned.lda = s.k;
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
  for (Index j = j0; j < j0 + width; ++j) t.s.c[j] = t.template start<1>(0, j)[0];
  Index p = 0;
  for (; p + 4 <= t.s.k; p += 4) add_rows<4>(t, p, j0, width);
  for (; p < t.s.k; ++p) add_rows<1>(t, p, j0, width);
}

/// kRows rows from i0 on and kColumns columns from j0 on of c = a b^T: scalar products of rows.
template <int kRows, int kColumns, typename T>
INITCORE_INLINE void dots(const Thin<T>& t, Index i0, Index j0) {
  constexpr Index kStep = kLanes<T>;
  const Index k = t.s.k, rest = k % kStep;
  const T *a[kRows], *b[kColumns];
  Vector<T> sum[kRows][4];
#pragma GCC unroll 4
  for (int i = 0; i < kRows; ++i) {
    a[i] = t.s.a + (i0 + i) * t.s.lda;
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) sum[i][j] = Vector<T>{};
  }
#pragma GCC unroll 4
  for (int j = 0; j < kColumns; ++j) b[j] = t.b(j0 + j);
  const auto step = [&](auto read) INITCORE_ALWAYS {
    Vector<T> row[kRows];
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) row[i] = read(a[i]);
#pragma GCC unroll 4
    for (int j = 0; j < kColumns; ++j) {
      const Vector<T> column = read(b[j]);
#pragma GCC unroll 4
      for (int i = 0; i < kRows; ++i) sum[i][j] += row[i] * column;
    }
  };
  for (Index p = 0; p + kStep <= k; p += kStep) step([p](const T* x) INITCORE_ALWAYS { return load(x + p); });
  if (k < kStep) {
    step([k](const T* x) INITCORE_ALWAYS { return load_first(x, k); });
  } else if (rest) {
    step([k, rest](const T* x) INITCORE_ALWAYS { return load_last(x, k, rest); });
  }
  constexpr int kR = kSumRows<T>, kC = kSumColumns<T>;
  typename Thin<T>::Sums total[kRows][4 / kC];
#pragma GCC unroll 4
  for (int i = 0; i < kRows; i += kR)
#pragma GCC unroll 4
    for (int j = 0; j < 4; j += kC) {
      Vector<T> part[kR * kC];
#pragma GCC unroll 16
      for (int q = 0; q < kR * kC; ++q)
        part[q] = i + q % kR < kRows ? sum[i + q % kR][j + q / kR] : Vector<T>{};
      const Vector<T> sums = sums_of_lanes<T>(part);
      [&]<int... r>(std::integer_sequence<int, r...>) INITCORE_ALWAYS {
        ((i + r < kRows ? void(total[i + r][j / kC] = lanes_from<r * kC, kC, T>(sums)) : void()), ...);
      }(std::make_integer_sequence<int, kR>{});
    }
  const bool fresh = !t.s.accumulate && !t.s.bias;
  const Index ldc = t.s.ldc;
  T* const c = t.s.c + i0 * ldc + j0;
  const auto put = [&]<int kCount>(int i, int j, typename Thin<T>::Sums sums) INITCORE_ALWAYS {
    if (!fresh) sums += t.template start<kCount>(i0 + i, j0 + j);
    __builtin_memcpy(c + i * ldc + j, &sums, kCount * sizeof(T));
  };
  [&]<int... j>(std::integer_sequence<int, j...>) INITCORE_ALWAYS {
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i)
      (put.template operator()<min(kC, kColumns - kC * j)>(i, kC * j, total[i][j]), ...);
  }(std::make_integer_sequence<int, (kColumns + kC - 1) / kC>{});
}

/// The last rows, fewer than kRows: dispatches to just that many.
template <int kRows, int kColumns, typename T>
INITCORE_INLINE void last_dots(const Thin<T>& t, Index i, Index rows, Index j) {
  if constexpr (kRows > 0) {
    if (rows == kRows) return dots<kRows, kColumns>(t, i, j);
    last_dots<kRows - 1, kColumns>(t, i, rows, j);
  }
}

/// Rows [i, i1) of columns [j, j + width), width <= kColumns: dispatches to just that many.
template <int kColumns, typename T>
void dots_below(const Thin<T>& t, Index i, Index i1, Index j, Index width) {
  if constexpr (kColumns > 0) {
    if (width < kColumns) return dots_below<kColumns - 1>(t, i, i1, j, width);
    for (; i + 4 <= i1; i += 4) dots<4, kColumns>(t, i, j);
    last_dots<3, kColumns>(t, i, i1 - i, j);
  }
}

/// Rows [i0, i1) and columns [j0, j0 + width). Where rows of b serve several tiles, in parts that stay in the
/// L1 cache: 40 of its 48 KB for so many rows of a and four columns of b.
template <typename T>
void all_dots(const Thin<T>& t, Index i0, Index i1, Index j0, Index width) {
  constexpr Index kRows = 8, kDepth = 40960 / Index((kRows + 4) * kVectorBytes) * kLanes<T>;
  Thin<T> part = t;
  Index p0 = 0;
  do {  // once even with k = 0: c still becomes the bias
    part.s.k = t.s.m <= 4 ? t.s.k : min(kDepth, t.s.k - p0);
    part.s.a = t.s.a + p0;
    part.s.b = t.s.b + p0;
    part.s.accumulate = t.s.accumulate || p0 > 0;
    for (Index i = i0; i < i1; i += kRows)
      for (Index j = 0; j < width; j += 4)
        dots_below<4>(part, i, min(i1, i + kRows), j0 + j, min<Index>(4, width - j));
    p0 += part.s.k;
  } while (p0 < t.s.k);
}

/// All columns, where those of b must first be made to lie along k, so much of them at a time.
template <typename T>
void transposed_dots(const Thin<T>& t, Index i0, Index i1, Index width) {
  constexpr Index kPacked = 32768 / sizeof(T);
  alignas(64) T packed[kPacked];
  Thin<T> part = t;
  part.s.layout = Layout::kNT;
  part.s.b = packed;
  for (Index p0 = 0; p0 < t.s.k; p0 += part.s.k) {
    part.s.k = part.s.ldb = min(t.s.k - p0, kPacked / width);
    transpose(t.s.b + p0 * t.s.ldb, t.s.ldb, part.s.k, width, packed, part.s.k);
    part.s.a = t.s.a + p0;
    part.s.accumulate = t.s.accumulate || p0 > 0;
    all_dots(part, i0, i1, 0, width);
  }
}

/// Columns of a unit: all of them where they are transposed together.
template <typename T>
Index thin_columns(const Product<T>& s) {
  return s.layout == Layout::kNN && s.m > 1 ? s.n : kThinColumns;
}

template <typename T>
Index thin_units(const Product<T>& s) {
  const Thin<T> t = thin(s);
  return count_units(t.s, kBlock, thin_columns(t.s));
}

template <typename T>
void run_thin(const Product<T>& s, Index begin, Index end) {
  const Thin<T> t = thin(s);
  each_panel(
      t.s, kBlock, thin_columns(t.s), begin, end,
      [&t](Index j0, Index width, Index i0, Index i1) {
        if (t.s.layout == Layout::kNT) {
          all_dots(t, i0, i1, j0, width);
        } else if (t.s.m == 1) {
          stream(t, j0, width);
        } else {
          transposed_dots(t, i0, i1, width);
        }
        finish(t.s, i0, i1 - i0, j0, width);
      },
      kThinUnits);
}

}  // namespace
}  // namespace initcore::INITCORE_ISA
