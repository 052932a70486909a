// Products of more numbers than the L1 cache holds, where there are 16 vector registers: a tile is small
// then, and waits for what it reads and writes in lines that are pages apart. So b is packed in panels and a
// in strips as high as a tile, both in the order in which they are read, in the loops of Goto & van de Geijn
// 2008, doi:10.1145/1356052.1356053, and what a tile writes is fetched.
#pragma once

#include "kernels/gemm_panel.h"

namespace initcore::INITCORE_ISA {
namespace {

/// Rows of a strip: those of a tile.
inline constexpr int kStrip = tile_rows(kVectors);

/// Length of the sums in a block of a. One panel of so much of b takes half of the L1 cache.
inline constexpr Index kBlockDepth = 256;

/// Rows of a block of a, 96 KB, and columns of b beside it, 1 MB: to be read from the L2 and L3 caches.
template <typename T>
inline constexpr Index kBlockRows = 98304 / Index(kBlockDepth * sizeof(T));
template <typename T>
inline constexpr Index kBlockColumns = 1048576 / Index(kBlockDepth * sizeof(T));

/// The rows of a that a tile reads, from its strip: number p of each row, then number p + 1.
template <typename T, int kRows>
struct StripsOfA {
  static constexpr Index kDeepest = kBlockDepth;
  const T* a;
  StripsOfA(const Product<T>& s, Index i0, Index) : a(s.a + i0 * s.lda) {}
  Index at(Index p) const { return p * kStrip; }
  T operator()(int i, Index at) const { return a[at + i]; }
};

/// Numbers [begin, end) of a row some rows after this one, into the L2 cache: of rows of which a part is
/// packed the processor foresees none.
template <typename T>
INITCORE_INLINE void fetch_ahead(const T* row, Index stride, Index begin, Index end) {
  constexpr Index kAhead = 8;
  for (Index j = begin; j < end; j += kInLine<T>) __builtin_prefetch(row + kAhead * stride + j, 0, 2);
}

/// Numbers beyond the last strip that packing it may write.
template <typename T>
inline constexpr Index kBeyond = max<Index>(0, kLanes<T> - kStrip);

/// Strips (height, depth) of a from row i and column p0 on. What is behind the last row is never used.
template <typename T>
void pack_strips(const Product<T>& s, Index i, Index height, Index p0, Index depth, T* strips) {
  if (s.layout != Layout::kTN) {
    // Whole squares are the fastest to turn: what they write beyond a strip's height is overwritten by its
    // next numbers, and by the next strip.
    for (Index r = 0; r < height; r += kStrip) {
      const bool square = kBeyond<T> > 0 && depth >= kLanes<T> && i + r + kLanes<T> <= s.m;
      const Index rows = square ? kLanes<T> : min<Index>(kStrip, height - r);
      transpose(s.a + (i + r) * s.lda + p0, s.lda, rows, depth, strips + r * depth, kStrip);
    }
    return;
  }
  const Index whole = height - height % kStrip;
  for (Index p = 0; p < depth; ++p) {
    const T* const row = s.a + (p0 + p) * s.lda + i;
    fetch_ahead(row, s.lda, 0, height);
    for (Index r = 0; r < whole; r += kStrip)
      __builtin_memcpy(strips + r * depth + p * kStrip, row + r, kStrip * sizeof(T));
    for (Index r = whole; r < height; ++r) strips[whole * depth + p * kStrip + r - whole] = row[r];
  }
}

/// Panels (depth, width) of b from row p0 and column j0 on, width whole panels.
template <typename T>
void pack_panels(const Product<T>& s, Index p0, Index depth, Index j0, Index width, T* panels) {
  constexpr Index kW = kColumns<T>, kTogether = 4 * kW;
  if (s.layout == Layout::kNT) {
    for (Index j = 0; j < width; j += kW)
      transpose(s.b + (j0 + j) * s.ldb + p0, s.ldb, kW, depth, panels + j * depth, kW);
    return;
  }
  const T* const b = s.b + p0 * s.ldb + j0;
  for (Index group = 0; group < width; group += kTogether) {
    const Index end = min(group + kTogether, width);
    for (Index p = 0; p < depth; ++p) {
      fetch_ahead(b + p * s.ldb, s.ldb, group, end);
      for (Index j = group; j < end; j += kW)
        __builtin_memcpy(panels + j * depth + p * kW, b + p * s.ldb + j, kW * sizeof(T));
    }
  }
}

/// A panel of c, from column j on, of a block: a is strips, b a packed panel. What the next tile will add to,
/// or write, is fetched meanwhile, at the end of a panel for the next one: the last number of each row, for
/// the first may be in a line that this panel has used. (Fetching what lies behind c does no harm.)
///
/// With kApart, tiles add to rows that lie whole pages apart. Each would wait for what the one before has
/// just written, since processors first tell addresses apart by their last twelve bits; so all are read
/// before.
template <bool kApart, typename T>
[[gnu::noinline]] void run_strips(const Product<T>& s, Index j, const T* b) {
  constexpr Index kW = kColumns<T>;
  const RowsOfB<T> rows_of_b{b, kW, s.k, nullptr};
  Panel<T, kVectors, StripsOfA> panel(s, j, kW);
  panel.read_bias();
  const T* const bias = s.bias ? panel.bias : nullptr;
  T* c = s.c + j;
  alignas(64) T held_c[kApart ? kBlockRows<T> * kW : 1];
  if constexpr (kApart)
    for (Index r = 0; r < s.m; ++r) __builtin_memcpy(held_c + r * kW, c + r * s.ldc, kW * sizeof(T));
  Index i = 0;
  for (; i + kStrip <= s.m; i += kStrip, c += kStrip * s.ldc) {
    const T* const next = kApart ? c + kW : i + kStrip < s.m ? c + kStrip * s.ldc : s.c + j + kW;
#pragma GCC unroll 8
    for (Index r = 0; r < kStrip; ++r) __builtin_prefetch(next + r * s.ldc + kW - 1, 1, kApart ? 2 : 3);
    // In place, not called as others are: sums may be short.
    tile<false, false, Fetch::kNothing, T, kStrip, kVectors>(s.k, StripsOfA<T, kStrip>(s, i, 0), rows_of_b,
                                                             nullptr, c, s.ldc, s.accumulate, bias, 0,
                                                             kApart ? held_c + i * kW : nullptr);
  }
  if (i < s.m) panel.template rows_of<kStrip - 1>(i, s.m - i, 0, s.k, rows_of_b);
}

/// All rows of the panels [j0, j0 + width).
template <typename T, template <typename, int> class A>
void run_stripped(const Product<T>& s, Index j0, Index width) {
  constexpr Index kW = kColumns<T>;
  alignas(64) T strips[kBlockRows<T> * kBlockDepth + kBeyond<T>];
  alignas(64) T panels[kBlockColumns<T> * kBlockDepth];
  const Index whole = j0 + width / kW * kW, chunks = (s.k + kBlockDepth - 1) / kBlockDepth;
  Product<T> block = s;
  block.a = strips;
  for (Index g = j0; g < whole; g += kBlockColumns<T>) {
    const Index end = min(g + kBlockColumns<T>, whole);
    Index p0 = 0;
    for (Index chunk = 1; chunk <= chunks; ++chunk, p0 += block.k) {
      block.k = block.lda = s.k * chunk / chunks - p0;
      block.accumulate = s.accumulate || p0 > 0;
      block.activation = chunk == chunks ? s.activation : nullptr;
      block.slope = chunk == chunks ? s.slope : nullptr;
      pack_panels(s, p0, block.k, g, end - g, panels);
      for (Index i = 0; i < s.m; i += kBlockRows<T>) {
        block.m = min(kBlockRows<T>, s.m - i);
        block.c = s.c + i * s.ldc;
        if (s.x) block.x = s.x + i * s.ldc;
        if (s.y) block.y = s.y + i * s.ldc;
        pack_strips(s, i, block.m, p0, block.k, strips);
        const bool apart = block.accumulate && s.ldc * Index(sizeof(T)) % kPage == 0;
        for (Index j = g; j < end; j += kW)
          (apart ? run_strips<true, T> : run_strips<false, T>)(block, j, panels + (j - g) * block.k);
        finish(block, 0, block.m, g, end - g);
      }
    }
  }
  if (whole < j0 + width) run_beside<T, A>(s, whole, j0 + width - whole, 0, s.m);
}

/// Whether so large a b is best packed in panels whatever a is: beside more rows than two tiles have, if its
/// rows lie whole pages apart.
template <typename T>
bool is_beside_far_rows(const Product<T>& s) {
  const Index bytes = s.n * s.k * Index(sizeof(T));
  return s.layout != Layout::kNT && s.m > 2 * kStrip && s.ldb * Index(sizeof(T)) % kPage == 0 &&
         bytes >= (s.layout == Layout::kTN && sizeof(T) == 8 ? 1048576 : 4194304);
}

/// Whether strips pay for themselves, as measured on 41 000 forms: where there is enough of a, and of c, most
/// of all if c is written once. Where a lies along columns, a tile reads a part of a line from each of its
/// rows, the larger the numbers the more lines, and rows whole pages apart push each other out of the L1
/// cache.
template <typename T>
bool is_stripped(const Product<T>& s, Index width) {
  const Index panels = width / kColumns<T>, bytes = s.m * s.k * Index(sizeof(T));
  if (is_beside_far_rows(s) && panels >= 32) return true;
  if (s.m < kBlock) return false;
  if (s.layout != Layout::kTN) {
    if (s.k <= kBlockDepth) return s.m >= 2 * kBlock && panels >= 8 && bytes >= 16384;
    return panels >= 24 && bytes >= (s.layout == Layout::kNN ? 524288 : 1310720);
  }
  const Index stride = s.lda * Index(sizeof(T));
  const bool apart = stride % kPage == 0, large = bytes >= (sizeof(T) == 4 ? 524288 : 131072);
  if (bytes < 65536) return apart && bytes >= 16384 && panels >= 4;
  return panels >= (apart ? 2 : stride % (kPage / 2) == 0 ? 3 : large ? 4 : 8);
}

}  // namespace
}  // namespace initcore::INITCORE_ISA
