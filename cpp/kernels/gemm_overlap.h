// Short sums beside a c of few columns. Where its rows follow each other without gaps they are written in
// whole vectors, the end of each over the beginning of the next, which is written later: to store a part of a
// vector takes as long as several multiply-adds.
#pragma once

#include "kernels/gemm_panel.h"

namespace initcore::INITCORE_ISA {
namespace {

/// Whether rows of c may be written so: nothing is read of the one that follows.
template <typename T>
bool rows_may_overlap(const Product<T>& s) {
  return s.ldc == s.n && s.n % kLanes<T> != 0 && !s.accumulate;
}

// Rows of c from which on, and length of sums up to which, that pays, as measured on 4000 forms. Longer sums
// for each of the columns are better as rows of c^T, or as scalar products; so is, with AVX-512, a c of a
// single vector.
inline constexpr Index kOverlapRows = kRegisters == 32 ? 200 : 24;
inline constexpr Index kOverlapDepth = 24, kOverlapDepthForEach = 5;
inline constexpr int kFewestOverlapping = kRegisters == 32 ? 2 : 1;

/// Vectors of a row, at most.
inline constexpr int kMostOverlapping = kRegisters == 32 ? kVectors : kWidest;

/// Vectors of b, packed: 4 KB with AVX2.
inline constexpr Index kOverlapPacked = 128;

/// Rows that are computed together: few enough that their sums and a row of b fit into registers.
constexpr int overlap_rows(int vectors) {
  if (kRegisters == 32) return tile_rows(vectors);
  return vectors > 5 ? 1 : vectors > 3 ? 2 : vectors == 3 ? 4 : tile_rows(vectors);
}

template <typename T>
bool is_overlapping(const Product<T>& s) {
  constexpr Index kW = kLanes<T>;
  if (!rows_may_overlap(s) || s.m < max(kOverlapRows, 3 * s.k)) return false;
  const Index vectors = (s.n + kW - 1) / kW;
  if (vectors < kFewestOverlapping || vectors > kMostOverlapping) return false;
  if (vectors > 3 && colliding_rows(s) > kCollidingTile) return false;  // tiles are low
  return s.k > 0 && s.k <= min(kOverlapDepth, kOverlapDepthForEach * s.n) && s.k * vectors <= kOverlapPacked;
}

/// Rows [i0, i1): dispatches to just as many vectors as one takes.
template <typename T, template <typename, int> class A, int kVecs = kFewestOverlapping>
void run_overlapping_rows(const Product<T>& s, Index i0, Index i1) {
  constexpr Index kStride = kVecs * kLanes<T>;
  if constexpr (kVecs < kMostOverlapping)
    if (s.n > kStride) return run_overlapping_rows<T, A, kVecs + 1>(s, i0, i1);
  alignas(64) T packed[kOverlapPacked * kLanes<T>];
  pack_columns(s, 0, s.n, packed, kStride);
  const RowsOfB<T> b{packed, kStride, s.k, nullptr};
  Panel<T, kVecs, A> panel(s, 0, s.n);
  panel.read_bias();
  panel.width = kStride;  // whole vectors
  constexpr int kRows = overlap_rows(kVecs);
  const Index last = min(i1 - i0, (kStride - 1) / s.n);  // rows that would end behind i1
  const Index followed = i1 - last;
  for (Index first = i0; first < followed; first += kBlock) {
    const Index end = min(first + kBlock, followed);
    Index i = first;
    for (; i + kRows <= end; i += kRows)
      tile<false, false, Fetch::kNothing, T, kRows, kVecs>(s.k, A<T, kRows>(s, i, 0), b, nullptr,
                                                           s.c + i * s.ldc, s.ldc, false,
                                                           s.bias ? panel.bias : nullptr, 0);
    if (i < end) panel.template rows_of<kRows>(i, end - i, 0, s.k, b);
    finish(s, first, end - first, 0, s.n);
  }
  panel.width = s.n;
  panel.template rows_of<kRows>(followed, last, 0, s.k, b);
  finish(s, followed, last, 0, s.n);
}

template <typename T, template <typename, int> class A>
void run_overlapping(const Product<T>& s, Index begin, Index end) {
  each_panel(s, kBlock, s.n, begin, end,
             [&s](Index, Index, Index i0, Index i1) { run_overlapping_rows<T, A>(s, i0, i1); });
}

}  // namespace
}  // namespace initcore::INITCORE_ISA
