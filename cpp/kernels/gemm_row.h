// Products whose c is a single row: one example, one output. Each number of b is used once, so what counts is
// to read b in the order in which it lies, at the speed of the memory it lies in.
#pragma once

#include "kernels/gemm_panel.h"
#include "kernels/units.h"
#include "kernels/vector.h"

namespace initcore::INITCORE_ISA {
namespace {

/// Bytes of a row of c from which row by row of b is faster than panel by panel.
inline constexpr Index kStreamedBytes = 1025;

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

/// Whether c is a row that fits into the registers several times.
template <typename T>
bool is_short_row(const Product<T>& s) {
  return s.m == 1 && s.layout == Layout::kNN && s.n <= kColumns<T>;
}

template <typename T>
bool is_long_row(const Product<T>& s) {
  return s.m == 1 && s.layout == Layout::kNN && s.n * Index(sizeof(T)) >= kStreamedBytes;
}

template <typename T>
bool is_row(const Product<T>& s) {
  return is_short_row(s) || is_long_row(s);
}

/// A row of kVecs vectors, in several sums: of a single one, each addition would wait for the one before it.
template <int kVecs, typename T>
void short_row(const Product<T>& s) {
  constexpr Index kW = kLanes<T>, kStride = kVecs * kW;
  constexpr int kSums = 4;
  const Index last = s.n - (kVecs - 1) * kW;
  const auto whole_vector = [](const T* x, int) INITCORE_ALWAYS { return load(x); };
  const auto what_there_is = [last](const T* x, int j) INITCORE_ALWAYS {
    return j == kVecs - 1 && last < kW ? load_first(x, last) : load(x);
  };
  Vector<T> sum[kSums][kVecs] = {};
  for (int j = 0; j < kVecs; ++j)
    if (s.accumulate) {
      sum[0][j] = what_there_is(s.c + j * kW, j);
    } else if (s.bias) {
      sum[0][j] = s.bias_step ? what_there_is(s.bias + j * kW, j) : Vector<T>{} + *s.bias;
    }
  const auto add = [&](int q, Index p, auto read) INITCORE_ALWAYS {
#pragma GCC unroll 4
    for (int j = 0; j < kVecs; ++j) sum[q][j] += s.a[p] * read(s.b + p * s.ldb + j * kW, j);
  };
  // Rows of b at whose end whole vectors do not leave b.
  Index whole = s.k, p = 0;
  while (whole > 0 && (whole - 1) * s.ldb + kStride > (s.k - 1) * s.ldb + s.n) --whole;
  for (; p + kSums <= whole; p += kSums)
#pragma GCC unroll 4
    for (int q = 0; q < kSums; ++q) add(q, p + q, whole_vector);
  for (; p < s.k; ++p) add(0, p, what_there_is);
#pragma GCC unroll 4
  for (int j = 0; j < kVecs; ++j) {
    const Vector<T> total = (sum[0][j] + sum[1][j]) + (sum[2][j] + sum[3][j]);
    if (j == kVecs - 1 && last < kW) {
      store_first<T>(s.c + j * kW, total, last);
    } else {
      store<T>(s.c + j * kW, total);
    }
  }
}

/// Dispatches to just as many vectors as the row takes.
template <typename T, int kVecs = 1>
void any_short_row(const Product<T>& s) {
  if constexpr (kVecs < kVectors)
    if (s.n > kVecs * kLanes<T>) return any_short_row<T, kVecs + 1>(s);
  short_row<kVecs>(s);
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
void run_row(const Product<T>& s, Index begin, Index end) {
  each_panel(
      s, kBlock, kLongColumns, begin, end,
      [&s](Index j0, Index width, Index, Index) {
        if (is_short_row(s)) {
          any_short_row(s);
        } else {
          stream(s, j0, width);
        }
        finish(s, 0, 1, j0, width);
      },
      kLongUnits);
}

}  // namespace
}  // namespace initcore::INITCORE_ISA
