// Products that read columns of an a too large for the L2 cache: panel after panel, each would read all of a
// anew, a part of a line at a time, from rows that lie pages apart.
//
// So a is cut into blocks of rows of c, and turned block by block; all panels are computed beside a block
// before the next one. That packs b as often as there are blocks, but nobody waits for it: it is done row by
// row while the panel before is computed.
#pragma once

#include "kernels/gemm_panel.h"

namespace initcore::INITCORE_ISA {
namespace {

/// Rows of a turned block, at most, and a multiple of the tiles': it takes 384 KB, and two panels of b up to
/// 256 KB.
template <typename T>
inline constexpr Index kTall = 393216 / (kColumnDepth * Index(sizeof(T)));

/// Bytes of a, length of sums and panels of c from which this pays for itself.
inline constexpr Index kFar = 4194304, kLong = 256, kManyPanels = 4;

/// A tile's rows of a block. Meanwhile, what the next tile will add to is fetched, and rows of the next
/// panel of b are packed: a little every few steps, since they lie apart and come late.
template <typename T>
struct RowsOfBlock {
  static constexpr Index kEvery = 8;
  static constexpr int kRows = tile_rows(kVectors);

  const T* a;
  Index depth;
  const T* next_c;
  Index ldc;
  const T* from;  // rows of b, or nullptr
  Index ldb;
  T* to;

  Index at(Index p) const { return held(p); }
  T operator()(int i, Index at) const { return a[i * depth + at]; }

  INITCORE_INLINE void fetch_next(Index p) const {
    if (p % kEvery) return;
    const Index row = p / kEvery;
    if (row < kRows) fetch(next_c + row * ldc);
    if (!from) return;
    fetch(from + (row + 2) * ldb);
#pragma GCC unroll 4
    for (Index j = 0; j < kColumns<T>; j += kLanes<T>)
      store<T>(to + row * kColumns<T> + j, load(from + row * ldb + j));
  }

  /// A row of a panel, which need not begin where a line does.
  INITCORE_INLINE static void fetch(const T* x) {
#pragma GCC unroll 8
    for (Index j = 0; j < kColumns<T>; j += kInLine<T>) __builtin_prefetch(x + j);
    __builtin_prefetch(x + kColumns<T> - 1);
  }
};

/// All rows of the panels [j0, j0 + width) of s, which is a block of a turned beside some rows of b.
template <typename T>
void run_block(const Product<T>& s, Index j0, Index width) {
  constexpr Index kW = kColumns<T>;
  constexpr int kRows = tile_rows(kVectors);
  alignas(64) T packed[2][kColumnDepth * kW];
  T* now = packed[0];
  T* next = packed[1];
  Index done = 0, j = j0;  // so many rows of this panel's part of b are packed
  for (; j + kW <= j0 + width; j += kW) {
    for (Index p = done; p < s.k; ++p)
      for (Index q = 0; q < kW; q += kLanes<T>) store<T>(now + p * kW + q, load(s.b + p * s.ldb + j + q));
    const bool more = j + 2 * kW <= j0 + width;
    done = 0;
    Index i = 0;
    for (; i + kRows <= s.m; i += kRows) {
      const Index count = (s.k + RowsOfBlock<T>::kEvery - 1) / RowsOfBlock<T>::kEvery;
      const bool pack = more && done + count <= s.k;
      T* const c = s.c + i * s.ldc + j;
      const T* const next_c = i + 2 * kRows <= s.m ? c + kRows * s.ldc : s.c + j + kW;
      const RowsOfBlock<T> a{
          s.a + i * s.k,   s.k, next_c, s.ldc, pack ? s.b + done * s.ldb + j + kW : nullptr, s.ldb,
          next + done * kW};
      tile<false, false, Fetch::kNextOfA, T, kRows, kVectors>(s.k, a, RowsOfB<T>{now, kW, s.k, nullptr},
                                                              nullptr, c, s.ldc, s.accumulate,
                                                              s.bias ? s.bias + j : nullptr, 0);
      if (pack) done += count;
    }
    if (i < s.m) run_panel<T, RowsOfA>(s, j, kW, i, s.m);
    finish(s, 0, s.m, j, kW);
    T* const last = now;
    now = next, next = last;
  }
  if (j < j0 + width) run_beside<T, RowsOfA>(s, j, j0 + width - j, 0, s.m);
}

template <typename T>
bool is_blocked(const Product<T>& s, Index width) {
  return s.layout == Layout::kTN && s.m * s.k * Index(sizeof(T)) >= kFar && s.k >= kLong &&
         width >= kManyPanels * kColumns<T>;
}

/// All rows of the panels [j0, j0 + width).
template <typename T>
void run_blocked(const Product<T>& s, Index j0, Index width) {
  constexpr Index kRows = tile_rows(kVectors);
  alignas(64) T turned[kTall<T> * kColumnDepth];
  const Index blocks = (s.m + kTall<T> - 1) / kTall<T>;
  const Index height = (s.m + blocks * kRows - 1) / (blocks * kRows) * kRows;
  const Index chunks = (s.k + kColumnDepth - 1) / kColumnDepth;
  Product<T> block = s;
  block.layout = Layout::kNN;
  block.a = turned;
  for (Index i = 0; i < s.m; i += height) {
    block.m = min(height, s.m - i);
    block.c = s.c + i * s.ldc;
    if (s.x) block.x = s.x + i * s.ldc;
    if (s.y) block.y = s.y + i * s.ldc;
    Index p0 = 0;
    for (Index chunk = 1; chunk <= chunks; ++chunk) {
      block.k = block.lda = s.k * chunk / chunks - p0;
      block.b = s.b + p0 * s.ldb;
      block.accumulate = s.accumulate || p0 > 0;
      block.activation = chunk == chunks ? s.activation : nullptr;
      block.slope = chunk == chunks ? s.slope : nullptr;
      transpose(s.a + p0 * s.lda + i, s.lda, block.k, block.m, turned, block.k);
      run_block(block, j0, width);
      p0 += block.k;
    }
  }
}

}  // namespace
}  // namespace initcore::INITCORE_ISA
