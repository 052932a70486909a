// A panel of a product: a register tile of outer products, and the loops around it.
//
// A panel of b that few rows of c need is read where it lies. Else up to kPackedDepth of its rows at a time
// are packed (which absorbs transposition, ragged edges and leading dimensions), then tile() runs down the
// rows of c with them in the L2 cache.
#pragma once

#include "kernels/gemm_operands.h"
#include "kernels/gemm_transpose.h"
#include "kernels/units.h"

namespace initcore::INITCORE_ISA {
namespace {

// The register tile, rows x vectors of accumulators: with the operands it fills the register file, and
// there are enough independent sums to hide the latency of a multiply-add (4 cycles, 2 a cycle).
// Van Zee & van de Geijn 2015, doi:10.1145/2764454, section 4.
inline constexpr int kVectors = kRegisters == 32 ? 4 : 2;

// Few rows take panels twice as wide, and one row four times: what lies together in b is read together.
inline constexpr int kWide = 2 * kVectors, kWidest = 4 * kVectors;

constexpr int tile_rows(int vectors) {
  return vectors > kWide ? 1 : vectors > kVectors ? 3 : vectors == kVectors ? 6 : vectors > 1 ? 8 : 12;
}

// Steps of a sum in one turn of its loop. A small tile does little in each: the loop's own instructions would
// be one in six.
inline constexpr int kUnrolled = kRegisters == 32 ? 1 : 4;

/// Columns of an ordinary panel.
template <typename T>
inline constexpr Index kColumns = kVectors * kLanes<T>;

/// Columns of this product's panels: such that one row, up to 3, or up to 8 are one tile, and b is read once.
template <typename T>
Index columns(const Product<T>& s) {
  if (s.m <= tile_rows(kWide)) return (s.m <= tile_rows(kWidest) ? kWidest : kWide) * kLanes<T>;
  const bool one_tile = kVectors > 2 && tile_rows(kVectors) < s.m && s.m <= tile_rows(kVectors - 1);
  return (one_tile ? kVectors - 1 : kVectors) * kLanes<T>;
}

// For up to so many rows of c, b is read where it lies, so many of its rows at a time: from the L2 cache,
// that is, where its rows are far enough apart to push each other out of L1. For more, packing pays for
// itself: soon, where a panel is one or two lines wide.
inline constexpr Index kUnpackedRows = kRegisters == 32 ? 256 : 16, kUnpackedDepth = 512;

// More than so many rows of b that are whole pages apart push each other out of all caches (with 16
// registers, out of the first one, from which narrow panels would be read): those are packed for more than so
// many rows of c, or than the tile has that packs them.
inline constexpr Index kPage = 4096, kColliding = kRegisters == 32 ? 128 : 16;
inline constexpr Index kCollidingRows = kRegisters == 32 ? 24 : 6;

// Rows of a that a tile reads, at most, where they are whole pages apart: then they share one set of the L1
// cache, of eight ways, with b (784x8x1024 22 GFLOP/s with twelve and 40 with seven, on Zen 3).
inline constexpr Index kCollidingTile = kRegisters == 32 ? 8 : 7;

/// Rows of a, where it lies along columns, that share a set of the L1 cache.
template <typename T>
Index colliding_rows(const Product<T>& s) {
  const Index stride = s.lda * Index(sizeof(T));
  if (s.layout != Layout::kTN || stride % (kPage / 2) != 0) return 0;
  return stride % kPage == 0 ? s.k : s.k / 2;
}

/// What a tile fetches meanwhile, step by step: the next tile's part of a, or the next panel of b. With 16
/// registers, rows of a are not fetched: two tiles' would take more than the L1 cache that such processors
/// have (1024x1024x1024 72 GFLOP/s with and 92 without, on Zen 3).
enum class Fetch { kNothing, kNextOfA, kNextOfB };
inline constexpr Fetch kFetched = kRegisters == 32 ? Fetch::kNextOfA : Fetch::kNextOfB;

// Bytes of a that need not be fetched: they are still in the L2 cache when the next panel reads them.
inline constexpr Index kNear = 1048576;

// Bytes between rows of b from which on the processor does not foresee what the next panel reads.
inline constexpr Index kUnforeseen = 1024;

/// c (kRows, kVecs vectors) = start + a (kRows, k) b (k, kVecs vectors), where start is c itself, the bias,
/// or 0; of the last vector, only the lanes `last` exist if kRagged. With kPack, b is packed on the way: the
/// first tile of a panel does it for the others. What c held may have been read before, into rows of `held_c`
/// without gaps.
template <bool kPack, bool kRagged, Fetch kFetch, typename T, int kRows, int kVecs, typename A>
INITCORE_INLINE void tile(Index k, const A a, const RowsOfB<T> b, T* packed, T* c, Index ldc, bool from_c,
                          const T* bias, Index last, const T* held_c = nullptr) {
  constexpr int kW = kLanes<T>;
  const auto each_row = [c, ldc](auto f) INITCORE_ALWAYS {
    T* row = c;
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i, row = held(row + ldc)) f(i, row);  // else all addresses are spilled
  };
  Vector<T> sum[kRows][kVecs];
  if (held_c) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 16
      for (int j = 0; j < kVecs; ++j) sum[i][j] = load(held_c + (i * kVecs + j) * kW);
  } else if (from_c) {
    each_row([&](int i, const T* row) INITCORE_ALWAYS {
#pragma GCC unroll 16
      for (int j = 0; j < kVecs; ++j)
        sum[i][j] = kRagged && j == kVecs - 1 ? load_first(row + j * kW, last) : load(row + j * kW);
    });
  } else {
#pragma GCC unroll 16
    for (int j = 0; j < kVecs; ++j) sum[0][j] = bias ? load(bias + j * kW) : Vector<T>{};
#pragma GCC unroll 16
    for (int i = 1; i < kRows; ++i)
#pragma GCC unroll 16
      for (int j = 0; j < kVecs; ++j) sum[i][j] = sum[0][j];
  }
  const auto step = [&](Index p, const T* row_of_b) INITCORE_ALWAYS {
    const Index at = a.at(p);
    if constexpr (kFetch == Fetch::kNextOfA) a.fetch_next(at);
    if constexpr (kFetch == Fetch::kNextOfB) b.template fetch_next<kVecs * kW>(row_of_b);
    Vector<T> row[kVecs];
#pragma GCC unroll 16
    for (int j = 0; j < kVecs; ++j) {
      row[j] = load(row_of_b + j * kW);
      if constexpr (kPack) store<T>(packed + (p * kVecs + j) * kW, row[j]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const T a_ip = a(i, at);
#pragma GCC unroll 16
      for (int j = 0; j < kVecs; ++j) sum[i][j] += a_ip * row[j];
    }
  };
  const Index whole = kRagged ? min(k, b.whole) : k;
  const T* row_of_b = b.at;
#pragma GCC unroll kUnrolled
  for (Index p = 0; p < whole; ++p, row_of_b += b.ld) step(p, row_of_b);
  if constexpr (kRagged)
    for (Index p = whole; p < k; ++p) step(p, b.tail + (p - whole) * kVecs * kW);
  each_row([&](int i, T* row) INITCORE_ALWAYS {
#pragma GCC unroll 16
    for (int j = 0; j < kVecs; ++j) {
      if (kRagged && j == kVecs - 1) {
        store_first<T>(row + j * kW, sum[i][j], last);
      } else {
        store<T>(row + j * kW, sum[i][j]);
      }
    }
  });
}

/// Columns [j0, j0 + width) of b, all of its rows, into rows of `stride`, with zeros behind the last column.
template <typename T>
void pack_columns(const Product<T>& s, Index j0, Index width, T* packed, Index stride) {
  constexpr Index kW = kLanes<T>;
  const Index whole = width / kW * kW;
  if (s.layout == Layout::kNT) {
    for (Index p = 0; p < s.k; ++p)
      for (Index j = width; j < stride; ++j) packed[p * stride + j] = 0;
    return transpose(s.b + j0 * s.ldb, s.ldb, width, s.k, packed, stride);
  }
  const T* row = s.b + j0;
  for (Index p = 0; p < s.k; ++p, row += s.ldb, packed += stride) {
#pragma GCC unroll 4
    for (Index j = 0; j < whole; j += kW) store<T>(packed + j, load(row + j));
    for (Index j = whole; j < stride; ++j) packed[j] = j < width ? row[j] : T(0);
  }
}

/// One panel of c, kVecs vectors wide: rows [i0, i1), columns [j0, j0 + width).
template <typename T, int kVecs, template <typename, int> class A>
struct Panel {
  static constexpr int kRows = tile_rows(kVecs);
  static constexpr Index kStride = kVecs * kLanes<T>;
  static constexpr Index kPacked = kPackedDepth * min<Index>(kStride, kColumns<T>);  // wider: few rows
  static constexpr Index kDeepest = min(kPacked / kStride, A<T, kRows>::kDeepest);

  const Product<T>& s;
  Index j0, width;
  T bias[kStride];
  Index fetching = 0;  // tiles that begin before this row fetch, if they can

  Panel(const Product<T>& product, Index first, Index columns) : s(product), j0(first), width(columns) {}

  void read_bias() {
    if (s.bias)
      for (Index j = 0; j < kStride; ++j) bias[j] = j < width ? s.bias[(j0 + j) * s.bias_step] : T(0);
  }

  /// The row before which tiles fetch: all of these, the first one, or none.
  Index fetched_by(Index i0, Index i1) const {
    if (kFetched == Fetch::kNextOfA) return (i1 - i0) * s.k * Index(sizeof(T)) > kNear ? i1 : i0;
    const bool more = s.layout != Layout::kNT && j0 + kStride < s.n && i1 - i0 > 1;
    return more && s.ldb * Index(sizeof(T)) >= kUnforeseen ? i0 + 1 : i0;
  }

  /// The tile at row i; its rows of b begin with row p0.
  template <int kN, bool kPack = false>
  [[gnu::noinline]] void tile_at(Index i, Index p0, Index depth, const RowsOfB<T>& b,
                                 T* packed = nullptr) const {
    const auto run = [&]<bool kRagged, Fetch kFetch>() INITCORE_ALWAYS {
      tile<kPack, kRagged, kFetch, T, kN, kVecs>(depth, A<T, kN>(s, i, p0), b, packed, s.c + i * s.ldc + j0,
                                                 s.ldc, s.accumulate || p0 > 0, s.bias ? bias : nullptr,
                                                 width - (kVecs - 1) * kLanes<T>);
    };
    if (width < kStride) return run.template operator()<true, Fetch::kNothing>();
    constexpr bool kCanFetch =
        kFetched == Fetch::kNextOfB ? kVecs >= kVectors : !kPack && kVecs == kVectors && kN == kRows;
    if constexpr (kCanFetch)
      if (i < fetching) return run.template operator()<false, kFetched>();
    run.template operator()<false, Fetch::kNothing>();
  }

  /// Rows [i, i + rows) with rows <= kN: dispatches to the tile of just that height.
  template <int kN>
  void rows_of(Index i, Index rows, Index p0, Index depth, const RowsOfB<T>& b) const {
    if constexpr (kN > 0) {
      if (rows < kN) return rows_of<kN - 1>(i, rows, p0, depth, b);
      tile_at<kN>(i, p0, depth, b);
    }
  }

  /// Rows of b from p0 on where they lie, but those at whose end reading in whole vectors would leave b.
  /// Those are copied to the end of `packed`: packing the others never reaches them before they are read.
  RowsOfB<T> in_place(Index p0, Index depth, T* packed) const {
    const Index end = (s.k - 1 - p0) * s.ldb + s.n - j0 - kStride;  // where the last whole row may begin
    const T* const at = s.b + p0 * s.ldb + j0;
    Index whole = depth;
    while (whole > 0 && (whole - 1) * s.ldb > end) --whole;
    T* const tail = packed + kPacked - (depth - whole) * kStride;
    for (Index p = whole; p < depth; ++p)
      for (Index j = 0; j < kStride; ++j)
        tail[(p - whole) * kStride + j] = j < width ? at[p * s.ldb + j] : T(0);
    return {at, s.ldb, whole, tail};
  }

  /// Not inlined: together, all panels would be too much for the compiler, which then spills pointers.
  [[gnu::noinline]] void run(Index i0, Index i1) {
    read_bias();
    const bool transposed = s.layout == Layout::kNT;
    const bool collide = s.ldb * Index(sizeof(T)) % kPage == 0 && s.k > kColliding;
    const Index few = collide ? max<Index>(kRows, kCollidingRows) : kUnpackedRows;
    const bool unpacked = !transposed && (s.ldb == kStride || i1 - i0 <= few);
    const Index most = unpacked ? kUnpackedDepth : kDeepest;
    const Index chunks = max<Index>(1, (s.k + most - 1) / most);
    const bool apart = s.layout != Layout::kTN && s.lda * Index(sizeof(T)) % kPage == 0;
    const Index tallest = apart ? min<Index>(kRows, kCollidingTile) : kRows;
    fetching = fetched_by(i0, i1);
    alignas(64) T packed[kPacked];
    if (transposed && width < kStride)
      for (Index i = 0; i < min(s.k, kDeepest) * kStride; ++i) packed[i] = 0;
    Index p0 = 0;
    for (Index chunk = 1; chunk <= chunks; ++chunk) {  // once even with k = 0: c still becomes the bias
      const bool last = chunk == chunks;
      const Index depth = (last ? s.k : s.k * chunk / chunks) - p0;
      RowsOfB<T> b{packed, kStride, depth, nullptr};
      Index i = i0;
      if (unpacked) {
        b = in_place(p0, depth, packed);
      } else if (transposed) {
        transpose(s.b + j0 * s.ldb + p0, s.ldb, width, depth, packed, kStride);
      } else if constexpr (kVecs <= kVectors) {  // wider panels have few rows
        tile_at<kRows, true>(i0, p0, depth, in_place(p0, depth, packed), packed);
        i += kRows;
      }
      while (i < i1) {
        const Index left = i1 - i;  // two tiles of like height, rather than a whole one and a small rest
        const Index rows = left > tallest && left < 2 * tallest ? (left + 1) / 2 : min<Index>(left, tallest);
        rows_of<kRows>(i, rows, p0, depth, b);
        i += rows;
      }
      p0 += depth;
    }
  }
};

/// Dispatches to the panel of just as many vectors as `width` takes.
template <typename T, template <typename, int> class A, int kVecs = 1>
void run_panel(const Product<T>& s, Index j0, Index width, Index i0, Index i1) {
  if constexpr (kVecs < kWidest)
    if (width > kVecs * kLanes<T>) return run_panel<T, A, kVecs + 1>(s, j0, width, i0, i1);
  Panel<T, kVecs, A>(s, j0, width).run(i0, i1);
}

/// Rows [i0, i1) of the panels [j0, j0 + width), finished together: an activation is called for each of their
/// rows, not for each row of each panel.
template <typename T, template <typename, int> class A>
void run_beside(const Product<T>& s, Index j0, Index width, Index i0, Index i1) {
  const Index step = columns(s);
  for (Index j = j0; j < j0 + width; j += step) run_panel<T, A>(s, j, min(step, j0 + width - j), i0, i1);
  finish(s, i0, i1 - i0, j0, width);
}

/// Columns of c that are finished together, where panels are narrower.
inline constexpr Index kFinished = 64;

template <typename T, template <typename, int> class A>
void run_panels(const Product<T>& s, Index begin, Index end) {
  each_panel(
      s, kBlock, columns(s), begin, end,
      [&s](Index j0, Index width, Index i0, Index i1) { run_beside<T, A>(s, j0, width, i0, i1); },
      kFinished / kColumns<T>);
}

}  // namespace
}  // namespace initcore::INITCORE_ISA
