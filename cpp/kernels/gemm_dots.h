// Products as scalar products of rows of a and columns of b: where c has few rows or columns, so that to
// transpose b, or to leave most lanes of a vector empty, would take longer.
#pragma once

#include "kernels/gemm_transpose.h"
#include "kernels/units.h"
#include "kernels/vector.h"

namespace initcore::INITCORE_ISA {
namespace {

/// Rows of c up to which scalar products of rows may be faster than transposing b.
inline constexpr Index kDotRows = 24;

/// Rows of b that are read beside each other for a single row of c, and up to how many bytes of them: longer
/// ones push each other out of the cache.
inline constexpr int kBeside = kRegisters == 32 ? 16 : 8;
inline constexpr Index kBesideBytes = 1024;

/// Columns up to which, and length of sums from which, a single row is better transposed as well: as a vector
/// of columns it waits for each multiply-add before it begins the next.
inline constexpr Index kFewColumns = 3, kLongWait = 20;

/// Whether rows or columns of c are so few that scalar products along k are faster than vectors along its
/// rows, or its columns. Counted in eighths of a multiply-add, as measured on 12 000 forms with AVX2 and
/// AVX-512. Of a scalar product each vector takes nine, or eleven where 16 sums leave no register for the
/// factors, one more beside many rows, and adding up the lanes 16. A multiply-add takes nine where rows are
/// single vectors, for each needs a number loaded; and rows are computed by fours at least. To transpose an
/// element takes five, and 20 where it goes back into c.
template <typename T>
bool has_dots(const Product<T>& s) {
  constexpr Index kW = kLanes<T>;
  if (s.k < kW || s.layout == Layout::kTN) return false;
  const auto parts_of = [](Index n, Index step) { return (n + step - 1) / step; };
  const auto vectors = [=, k = s.k](Index m, Index n) {
    return (n <= kW ? 9 : 8) * 4 * parts_of(m, 4) * parts_of(n, kW) * k;
  };
  const Index vector = (kRegisters == 32 ? 9 : 11) + (s.m > kDotRows / 2);
  const Index dots = s.m * s.n * (vector * parts_of(s.k, kW) + 16), transposition = 5 * s.n * s.k;
  if (s.m == 1 && s.layout == Layout::kNN && (s.n > kFewColumns || s.k < kLongWait)) return false;
  if (s.layout == Layout::kNN) return s.n < kW && dots + transposition < vectors(s.m, s.n);
  return (s.m <= kDotRows || s.n < 2 * kW) && dots < vectors(s.m, s.n) + transposition &&
         dots < vectors(s.n, s.m) + 5 * s.m * s.k + 20 * s.m * s.n;
}

/// What elements (i, j) to (i, j + kCount) are before the product is added; of the others nothing is said.
template <int kCount, int kSize = kCount, typename T>
INITCORE_INLINE ShortVector<T, kSize> start(const Product<T>& s, Index i, Index j) {
  const T* const from = s.accumulate ? s.c + i * s.ldc + j : s.bias ? s.bias + j * s.bias_step : nullptr;
  const Index step = s.accumulate ? 1 : s.bias_step;
  ShortVector<T, kSize> result = {};
#pragma GCC unroll 16
  for (int q = 0; q < kCount; ++q)  // one by one: the processor would wait for what a copy just wrote
    if (from) result[q] = from[q * step];
  return result;
}

/// Whether the next rows are fetched where each is used for two sums only: rows of some lines, of which the
/// processor is late with the first, and more than the L1 cache holds. (Not tried with 16 registers.)
template <typename T>
bool is_fetched(Index rows, Index k) {
  const Index bytes = k * Index(sizeof(T));
  return kRegisters == 32 && bytes >= 256 && bytes < 1024 && rows * bytes > 32768;
}

/// kRows rows from i0 on and kColumns columns from j0 on of c = a b^T: scalar products of rows. Their lanes
/// are added up as many at a time as a vector has: best are 16, which are 4 x 4, 8 x 2 or 1 x 16.
template <int kRows, int kColumns, typename T>
INITCORE_INLINE void dots(const Product<T>& s, Index i0, Index j0) {
  constexpr int kW = kLanes<T>;
  const Index k = s.k, rest = k % kW;
  const T *a[kRows], *b[kColumns];
  Vector<T> sum[kRows][kColumns];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
    a[i] = s.a + (i0 + i) * s.lda;
#pragma GCC unroll 16
    for (int j = 0; j < kColumns; ++j) sum[i][j] = Vector<T>{};
  }
#pragma GCC unroll 16
  for (int j = 0; j < kColumns; ++j) b[j] = s.b + (j0 + j) * s.ldb;
  // The next kCount vectors of all rows and columns: those of each together, since two that begin between
  // lines have a line in common.
  constexpr bool kFewRows = kRows <= kColumns;
  constexpr int kFew = min(kRows, kColumns), kMany = max(kRows, kColumns);
  const T* const* const few = kFewRows ? a : b;
  const T* const* const many = kFewRows ? b : a;
  const auto step = [&]<int kCount>(auto read) INITCORE_ALWAYS {
    Vector<T> factor[kFew][kCount];
#pragma GCC unroll 8
    for (int i = 0; i < kFew; ++i)
#pragma GCC unroll 2
      for (int q = 0; q < kCount; ++q) factor[i][q] = read(few[i] + q * kW);
#pragma GCC unroll 16
    for (int j = 0; j < kMany; ++j)
#pragma GCC unroll 2
      for (int q = 0; q < kCount; ++q) {
        Vector<T> one = read(many[j] + q * kW);
        if (kCount > 1) one = held(one);  // not in another order
#pragma GCC unroll 8
        for (int i = 0; i < kFew; ++i) (kFewRows ? sum[i][j] : sum[j][i]) += factor[i][q] * one;
      }
  };
  constexpr bool kBesideTwo = kRows >= 4 && kColumns <= 2, kOfTwo = kRows == 2 && kColumns == 4;
  constexpr int kNext = kBesideTwo ? kRows : kColumns;
  const bool fetch = (kBesideTwo && is_fetched<T>(s.m, k)) || (kOfTwo && is_fetched<T>(s.n, k));
  const Index stride = kBesideTwo ? s.lda : s.ldb;
  const T* const next = (kBesideTwo ? a[0] : b[0]) + kNext * stride;
  constexpr int kTurn = kRegisters == 32 && kFew < 4 ? 2 : 1;
  Index p = 0;
  const auto read = [&p](const T* x) INITCORE_ALWAYS { return load(x + p); };
  for (; p + kTurn * kW <= k; p += kTurn * kW) {
    if (fetch)
#pragma GCC unroll 16
      for (int i = 0; i < kNext * kTurn; ++i)
        __builtin_prefetch(next + i / kTurn * stride + p + i % kTurn * kW);
    step.template operator()<kTurn>(read);
  }
  if constexpr (kTurn > 1)
    if (p + kW <= k) step.template operator()<1>(read);
  if (k < kW) {
    step.template operator()<1>([k](const T* x) INITCORE_ALWAYS { return load_first(x, k); });
  } else if (rest) {
    step.template operator()<1>([k, rest](const T* x) INITCORE_ALWAYS { return load_last(x, k, rest); });
  }
  // Row by row, kPitch places for each; those of a run are in one row, and side by side in a vector.
  constexpr int kPitch = kColumns > 4 ? kColumns : kRows > 4 ? 2 : 4, kRun = min(kPitch, kW);
  const bool fresh = !s.accumulate && !s.bias;
  T* const c = s.c + i0 * s.ldc + j0;
  const auto put = [&]<int kPlace>(ShortVector<T, kRun> sums) INITCORE_ALWAYS {
    constexpr int kI = kPlace / kPitch, kJ = kPlace % kPitch, kCount = min(kRun, kColumns - kJ);
    if constexpr (kI < kRows && kCount > 0) {
      if (!fresh) sums += start<kCount, kRun>(s, i0 + kI, j0 + kJ);
      __builtin_memcpy(c + kI * s.ldc + kJ, &sums, kCount * sizeof(T));
    }
  };
  const auto add_up = [&]<int kFirst>() INITCORE_ALWAYS {
    Vector<T> part[kW];
#pragma GCC unroll 16
    for (int lane = 0; lane < kW; ++lane) {
      const int i = (kFirst + lane) / kPitch, j = (kFirst + lane) % kPitch;
      part[lane % kSumColumns<T> * kSumRows<T> + lane / kSumColumns<T>] =
          i < kRows && j < kColumns ? sum[i][j] : Vector<T>{};
    }
    const Vector<T> sums = sums_of_lanes<T>(part);
    [&]<int... run>(std::integer_sequence<int, run...>) INITCORE_ALWAYS {
      (put.template operator()<kFirst + run * kRun>(lanes_from<run * kRun, kRun, T>(sums)), ...);
    }(std::make_integer_sequence<int, kW / kRun>{});
  };
  [&]<int... group>(std::integer_sequence<int, group...>) INITCORE_ALWAYS {
    (add_up.template operator()<group * kW>(), ...);
  }(std::make_integer_sequence<int, (kRows * kPitch + kW - 1) / kW>{});
}

/// The last rows, fewer than kRows: dispatches to just that many.
template <int kRows, int kColumns, typename T>
INITCORE_INLINE void last_dots(const Product<T>& s, Index i, Index rows, Index j) {
  if constexpr (kRows > 0) {
    if (rows == kRows) return dots<kRows, kColumns>(s, i, j);
    last_dots<kRows - 1, kColumns>(s, i, rows, j);
  }
}

/// Rows [i, i1) of columns [j, j + width), width <= kColumns: dispatches to just that many.
template <int kColumns, typename T>
void dots_below(const Product<T>& s, Index i, Index i1, Index j, Index width) {
  if constexpr (kColumns > 0) {
    if (width < kColumns) return dots_below<kColumns - 1>(s, i, i1, j, width);
    if constexpr (kColumns == 2 && kRegisters == 32)
      for (; i + 8 <= i1; i += 8) dots<8, 2>(s, i, j);
    for (; i + 4 <= i1; i += 4) dots<4, kColumns>(s, i, j);
    last_dots<3, kColumns>(s, i, i1 - i, j);
  }
}

/// Bytes of so many rows of a and four columns of b, where rows of b serve several tiles: in the L1 cache of
/// processors with AVX-512, 48 KB, and in the L2 cache of others. Their L1 would hold so short parts that
/// adding up the lanes of each takes longer.
inline constexpr Index kServedBytes = kRegisters == 32 ? 40960 : 262144;

/// Rows [i0, i1) and columns [j0, j0 + width).
template <typename T>
void all_dots(const Product<T>& s, Index i0, Index i1, Index j0, Index width) {
  constexpr Index kRows = 8, kDepth = kServedBytes / Index((kRows + 4) * kVectorBytes) * kLanes<T>;
  const Index depth = s.m <= 4 ? s.k : kDepth;
  for (Index p0 = 0; p0 < s.k; p0 += depth) {
    const Product<T> part = part_of(s, p0, min(depth, s.k - p0));
    Index done = 0;
    if (s.m == 1 && s.k * Index(sizeof(T)) <= kBesideBytes)
      for (; done + kBeside <= width; done += kBeside) dots<1, kBeside>(part, i0, j0 + done);
    for (Index i = i0; i < i1; i += kRows)
      for (Index j = done; j < width; j += 4)
        dots_below<4>(part, i, min(i1, i + kRows), j0 + j, min<Index>(4, width - j));
  }
}

/// All columns, where those of b must first be made to lie along k, so much of them at a time.
template <typename T>
void transposed_dots(const Product<T>& s, Index i0, Index i1, Index width) {
  constexpr Index kPacked = 32768 / sizeof(T);
  alignas(64) T packed[kPacked];
  Product<T> part = s;
  part.layout = Layout::kNT;
  part.b = packed;
  for (Index p0 = 0; p0 < s.k; p0 += part.k) {
    part.k = part.ldb = min(s.k - p0, kPacked / width);
    transpose(s.b + p0 * s.ldb, s.ldb, part.k, width, packed, part.k);
    part.a = s.a + p0;
    part.accumulate = s.accumulate || p0 > 0;
    all_dots(part, i0, i1, 0, width);
  }
}

/// Columns of a unit: all of them where they are transposed together.
template <typename T>
Index dot_columns(const Product<T>& s) {
  return s.layout == Layout::kNT ? kLongColumns : s.n;
}

template <typename T>
void run_dots(const Product<T>& s, Index begin, Index end) {
  each_panel(
      s, kBlock, dot_columns(s), begin, end,
      [&s](Index j0, Index width, Index i0, Index i1) {
        if (s.layout == Layout::kNT) {
          all_dots(s, i0, i1, j0, width);
        } else {
          transposed_dots(s, i0, i1, width);
        }
        finish(s, i0, i1 - i0, j0, width);
      },
      kLongUnits);
}

}  // namespace
}  // namespace initcore::INITCORE_ISA
