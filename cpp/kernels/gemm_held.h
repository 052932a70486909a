// Products with sums so short that one factor stays in registers while the other passes by: all of b, if it
// is a few vectors, or else some rows of a at a time, beside which rows of c are written as they lie. Nothing
// is packed but a transposed b, and no loop runs along a sum.
#pragma once

#include <cstdint>

#include "kernels/gemm_shallow.h"

namespace initcore::INITCORE_ISA {
namespace {

/// Longest sums that are held: with 16 registers, of longer ones no two rows of a are.
inline constexpr int kHeldDepth = kRegisters == 32 ? 8 : 6;

/// Whether `depth` rows of `vectors` of b fit into the registers, with what a row of c begins with and its
/// sums.
constexpr bool fits(int depth, int vectors) {
  return vectors <= 4 && (depth + 2) * vectors <= kRegisters - 2;
}

/// Rows of a that are held, beside a sum of each and a vector of b.
constexpr int held_rows(int depth) { return min((kRegisters - 2) / (depth + 1), 4); }

template <typename T>
bool has_held_sums(const Product<T>& s) {
  return s.m > 1 && s.k > 0 && s.k <= kHeldDepth && !s.accumulate;
}

template <typename T>
bool holds_b(const Product<T>& s) {
  return has_held_sums(s) && fits(int(s.k), int((s.n + kLanes<T> - 1) / kLanes<T>));
}

/// Whether c is wide enough, wider where there are rows enough for tiles to pay for themselves, and no part
/// of its columns less than a vector. What no cache holds is better written in panels, unless rows lie whole
/// pages apart.
template <typename T>
bool holds_a(const Product<T>& s) {
  if (!has_held_sums(s) || s.n <= (s.m > 8 ? 4 : 2) * kLanes<T>) return false;
  const Index last = s.n % shallow_columns(s);
  return (last == 0 || last >= kLanes<T>) && (bytes_of_c(s) < kFarC || s.ldc * Index(sizeof(T)) % kPage == 0);
}

/// Rows [i0, i1). Where rows of c follow each other without gaps, the end of each is written as a whole
/// vector, over the beginning of the next: to store a part of a vector takes as long as several
/// multiply-adds.
template <typename T, template <typename, int> class A, int kDepth, int kVecs>
void hold_b(const Product<T>& s, Index i0, Index i1) {
  constexpr Index kW = kLanes<T>, kStride = kVecs * kW, kWhole = kStride - kW;
  const Index last = s.n - kWhole, ldc = s.ldc;
  const auto row_of = [last](const T* x, Vector<T>(&v)[kVecs]) INITCORE_ALWAYS {
#pragma GCC unroll 8
    for (int j = 0; j < kVecs; ++j)
      v[j] = j == kVecs - 1 && last < kW ? load_first(x + j * kW, last) : load(x + j * kW);
  };
  Vector<T> b[kDepth][kVecs], start[kVecs];
#pragma GCC unroll 8
  for (int p = 0; p < kDepth; ++p) row_of(s.b + p * s.ldb, b[p]);
#pragma GCC unroll 8
  for (int j = 0; j < kVecs; ++j) start[j] = Vector<T>{};
  if (s.bias) row_of(s.bias, start);
  const auto row = [&](Index i, T* c, auto store_last) INITCORE_ALWAYS {
    const A<T, 1> a(s, i, 0);
    Vector<T> sum[kVecs];
#pragma GCC unroll 8
    for (int j = 0; j < kVecs; ++j) sum[j] = start[j];
#pragma GCC unroll 8
    for (int p = 0; p < kDepth; ++p) {
      const T a_ip = a(0, a.at(p));
#pragma GCC unroll 8
      for (int j = 0; j < kVecs; ++j) sum[j] += a_ip * b[p][j];
    }
#pragma GCC unroll 8
    for (int j = 0; j < kVecs - 1; ++j) store<T>(c + j * kW, sum[j]);
    store_last(c + kWhole, sum[kVecs - 1]);
  };
  const auto whole = [](T* c, Vector<T> v) INITCORE_ALWAYS { store<T>(c, v); };
  const auto part = [last](T* c, Vector<T> v) INITCORE_ALWAYS { store_first<T>(c, v, last); };
  const Index alone = last == kW ? 0 : ldc == s.n ? min(i1 - i0, (kStride - 1) / s.n) : i1 - i0;
  for (Index first = i0; first < i1; first += kBlock) {
    const Index end = min(first + kBlock, i1), followed = min(end, i1 - alone);
    T* c = s.c + first * ldc;
    Index i = first;
    for (; i < followed; ++i, c += ldc) row(i, c, whole);
    for (; i < end; ++i, c += ldc) row(i, c, part);
    finish(s, first, end - first, 0, s.n);
  }
}

/// Rows [i0, i1): dispatches to the panel of just so many rows and vectors of b.
template <typename T, template <typename, int> class A, int kDepth = kHeldDepth, int kVecs = 1>
void hold_b_of(const Product<T>& s, Index i0, Index i1) {
  if constexpr (kDepth > 0) {
    if (s.k < kDepth) return hold_b_of<T, A, kDepth - 1, kVecs>(s, i0, i1);
    if constexpr (fits(kDepth, kVecs)) {
      if (s.n > kVecs * kLanes<T>) return hold_b_of<T, A, kDepth, kVecs + 1>(s, i0, i1);
      hold_b<T, A, kDepth, kVecs>(s, i0, i1);
    }
  }
}

/// Some columns of c, at least a vector of them, beside the same of b and of the bias.
template <typename T, template <typename, int> class A>
struct BesideHeldRows {
  const Product<T>& s;
  const T* b;
  Index ldb;
  const T* bias;
  T* c;
  Index width;

  /// Columns before the first line that begins within rows of c, if it does so at the same place in all of
  /// them.
  Index lead() const {
    const Index at = Index(reinterpret_cast<std::uintptr_t>(c) / sizeof(T)) % kLanes<T>;
    return s.ldc % kLanes<T> == 0 ? kLanes<T> - at : kLanes<T>;
  }

  /// kRows rows of c from row i on. Not inlined: what is held would be spilled around it.
  template <int kRows, int kDepth>
  [[gnu::noinline]] void rows(Index i) const {
    // Copies of members: for all the compiler knows, what is stored might be them. A number less zeros is
    // that number in all lanes.
    const T *const from = b, *const start = bias;
    T* const to = c + i * s.ldc;
    const Index ld = ldb, ldc = s.ldc, end = width - kLanes<T>;
    const A<T, kRows> numbers(s, i, 0);
    Vector<T> a[kRows][kDepth];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int p = 0; p < kDepth; ++p) a[r][p] = numbers(r, numbers.at(p)) - Vector<T>{};
    // What the first and the last vector share with their neighbours is computed twice.
    for (Index j = 0, next = lead();; j = min(next, end), next = j + kLanes<T>) {
      Vector<T> sum[kRows];
      sum[0] = start ? load(start + j) : Vector<T>{};
#pragma GCC unroll 8
      for (int r = 1; r < kRows; ++r) sum[r] = sum[0];
      const T* row = from + j;
#pragma GCC unroll 8
      for (int p = 0; p < kDepth; ++p, row += ld) {
        const Vector<T> b_pj = held(load(row));
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) sum[r] += a[r][p] * b_pj;
      }
      T* at = to + j;
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r, at += ldc) store<T>(at, sum[r]);
      if (j == end) return;
    }
  }

  template <int kDepth = kHeldDepth>
  void run(Index i0, Index i1, Index j0) const {
    if constexpr (kDepth > 0) {
      if (s.k < kDepth) return run<kDepth - 1>(i0, i1, j0);
      constexpr int kRows = held_rows(kDepth);
      for (Index i = i0; i < i1;) {
        const Index left = i1 - i, count = left >= kRows ? kRows : left > 1 ? 2 : 1;
        count == kRows ? rows<kRows, kDepth>(i) : count == 2 ? rows<2, kDepth>(i) : rows<1, kDepth>(i);
        finish(s, i, count, j0, width);
        i += count;
      }
    }
  }
};

template <typename T, template <typename, int> class A>
void run_holding_b(const Product<T>& s, Index begin, Index end) {
  each_panel(s, kBlock, s.n, begin, end, [&s](Index, Index, Index i0, Index i1) {
    if (s.layout != Layout::kNT) return hold_b_of<T, A>(s, i0, i1);
    alignas(64) T packed[kRegisters * kLanes<T>];
    Product<T> now = s;
    now.b = packed;
    now.ldb = (s.n + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
    pack_columns(s, 0, s.n, packed, now.ldb);
    hold_b_of<T, A>(now, i0, i1);
  });
}

template <typename T>
Way<T> way_of_held_b(const Product<T>& s) {
  return {count_units(s, kBlock, s.n),
          s.layout == Layout::kTN ? run_holding_b<T, ColumnsOfA> : run_holding_b<T, RowsOfA>};
}

template <typename T, template <typename, int> class A>
void run_holding_a(const Product<T>& s, Index begin, Index end) {
  each_panel(s, kBlock, shallow_columns(s), begin, end, [&s](Index j0, Index width, Index i0, Index i1) {
    BesideHeldRows<T, A> part{s, s.b + j0, s.ldb, s.bias ? s.bias + j0 : nullptr, s.c + j0, width};
    if (s.layout != Layout::kNT) return part.run(i0, i1, j0);
    alignas(64) T packed[kShallowPacked<T>];
    part.ldb = (width + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
    part.b = packed;
    pack_columns(s, j0, width, packed, part.ldb);
    part.run(i0, i1, j0);
  });
}

template <typename T>
Way<T> way_of_held_a(const Product<T>& s) {
  return {count_units(s, kBlock, shallow_columns(s)),
          s.layout == Layout::kTN ? run_holding_a<T, ColumnsOfA> : run_holding_a<T, RowsOfA>};
}

}  // namespace
}  // namespace initcore::INITCORE_ISA
