// Products with short sums: ten classes beside 1024 units. There c is most of what is read and written, and
// rows of c are written as they lie. Panel by panel, a piece of each row would be, line by line; where rows
// lie whole pages apart, that does not even stay in the cache until it is finished.
#pragma once

#include "kernels/gemm_overlap.h"

namespace initcore::INITCORE_ISA {
namespace {

/// Sums of up to so many products are short, and of up to so many beside any c: those that gemm_held.h does
/// not take. With 32 registers they are the ones that add to c, and only where its rows are pages apart;
/// longer ones, and others, are better in panels.
inline constexpr Index kShallow = kRegisters == 32 ? 8 : 16, kShallowest = 10;

/// Bytes of c up to which longer sums are short, in float64 of up to 15 numbers, and from which c is fetched:
/// no cache holds it then.
inline constexpr Index kSmallC = 1572864, kFarC = 10485760;

/// Rows of c at a time.
inline constexpr int kShallowRows = 2;

/// Numbers of b that are packed at a time: 32 KB, to be read from the L1 cache.
template <typename T>
inline constexpr Index kShallowPacked = 32768 / Index(sizeof(T));

/// Panels from which c is wide, if rows are not pages apart.
inline constexpr Index kWidePanels = 6;

template <typename T>
Index bytes_of_c(const Product<T>& s) {
  return s.m * s.n * Index(sizeof(T));
}

template <typename T>
bool is_shallow(const Product<T>& s) {
  if (s.k == 0 || s.k > kShallow || s.m <= kShallowRows || s.n <= kColumns<T>) return false;
  if (colliding_rows(s) > kCollidingTile) return false;
  if (s.ldc * Index(sizeof(T)) % kPage == 0) return true;
  if (kRegisters == 32 || s.n < kWidePanels * kColumns<T>) return false;
  return s.k <= kShallowest || (s.k * Index(sizeof(T)) < 128 && bytes_of_c(s) <= kSmallC);
}

/// Columns that are computed together: as many as can be packed, in whole tiles.
template <typename T>
Index shallow_columns(const Product<T>& s) {
  constexpr Index kTile = kWide * kLanes<T>;
  return kShallowPacked<T> / (s.k * kTile) * kTile;
}

/// Some columns of c, beside the same of b and of the bias, packed: in rows of `stride`, with zeros behind
/// the last column.
template <typename T, template <typename, int> class A>
struct Shallow {
  const Product<T>& s;
  const T *packed, *bias;
  T* c;
  Index width, stride;

  template <int kVecs, bool kRagged, int kRows>
  INITCORE_INLINE void tile_at(const A<T, kRows>& a, Index i, Index j) const {
    const RowsOfB<T> b{packed + j, stride, s.k, nullptr};
    tile<false, kRagged, Fetch::kNothing, T, kRows, kVecs>(
        s.k, a, b, nullptr, c + i * s.ldc + j, s.ldc, s.accumulate, bias ? bias + j : nullptr, width - j);
  }

  /// What a wide tile writes: the last number of each line's length, as in `run_strips`.
  INITCORE_INLINE void fetch(Index i, Index j) const {
    const T* const next = c + i * s.ldc + j;
#pragma GCC unroll 8
    for (Index r = 0; r < kShallowRows; ++r)
#pragma GCC unroll 8
      for (Index q = kInLine<T>; q <= kWide * kLanes<T>; q += kInLine<T>)
        __builtin_prefetch(next + r * s.ldc + q - 1, 1, 3);
  }

  /// kRows rows of c from row i on. With kFetch, the next ones are fetched. What overlaps them comes first.
  template <bool kFetch, int kRows>
  void rows(Index i, bool overlap) const {
    constexpr Index kW = kLanes<T>;
    const A<T, kRows> a(s, i, 0);
    if (overlap) tile_at<1, false>(a, i, stride - kW);
    Index j = 0;
    for (; j + kWide * kW <= width; j += kWide * kW) {
      if constexpr (kFetch) fetch(i + kRows, j);
      tile_at<kWide, false>(a, i, j);
    }
    for (; j + kW <= width; j += kW) tile_at<1, false>(a, i, j);
    if (j < width && !overlap) tile_at<1, true>(a, i, j);
  }
};

template <typename T, template <typename, int> class A, bool kFetch>
void run_shallow(const Product<T>& s, Index begin, Index end) {
  constexpr Index kW = kLanes<T>;
  each_panel(s, kBlock, shallow_columns(s), begin, end, [&s](Index j0, Index width, Index i0, Index i1) {
    alignas(64) T packed[kShallowPacked<T>], bias[kShallowPacked<T>];
    const Index stride = (width + kW - 1) / kW * kW;
    pack_columns(s, j0, width, packed, stride);
    if (s.bias)
      for (Index j = 0; j < stride; ++j) bias[j] = j < width ? s.bias[j0 + j] : T(0);
    const Shallow<T, A> part{s, packed, s.bias ? bias : nullptr, s.c + j0, width, stride};
    for (Index i = i0; i < i1; i += kShallowRows) {
      const Index rows = min<Index>(kShallowRows, i1 - i);
      const bool overlap = width == s.n && rows_may_overlap(s) && i + rows < i1;
      rows == kShallowRows ? part.template rows<kFetch, kShallowRows>(i, overlap)
                           : part.template rows<kFetch, 1>(i, overlap);
      finish(s, i, rows, j0, width);
    }
  });
}

template <typename T, template <typename, int> class A>
Way<T> way_of_shallow(const Product<T>& s) {
  const Index units = count_units(s, kBlock, shallow_columns(s));
  if constexpr (kRegisters == 16)
    if (bytes_of_c(s) >= kFarC) return {units, run_shallow<T, A, true>};
  return {units, run_shallow<T, A, false>};
}

}  // namespace
}  // namespace initcore::INITCORE_ISA
