// The product of bfloat16 operands by VDPBF16PS: two multiply-adds in each lane of a 512-bit register.
//
// The one kernel with intrinsics: compilers have no other name for this instruction, nor for the rounding of
// two vectors into one. Both operands are packed as pairs, elements p and p + 1 of the sum side by side in 32
// bits: a part of b, kPairs pairs deep, then block by block the rows of a that it is multiplied by. Rounding
// an operand costs little beside that: an element of a meets kColumns others each time it is rounded.
#include <immintrin.h>

#include <utility>

#include "kernels/gemm_bf16.h"
#include "kernels/isa.h"
#include "kernels/units.h"

namespace initcore::INITCORE_ISA {
namespace {

inline constexpr int kW = kLanes<float>;

// The register tile, rows x vectors: as for float32, see gemm.cpp.
inline constexpr int kVectors = 4;
constexpr int tile_rows(int vectors) { return vectors == kVectors ? 6 : 8; }

// Columns of a tile, and of a panel: two tiles side by side. Two panels share one rounding of a, where one
// thread computes both.
inline constexpr Index kWide = kVectors * kW, kColumns = 2 * kWide, kPanels = 2;

// Pairs of k packed at a time: 32 KB of b for each tile's columns.
inline constexpr Index kPairs = 128;

typedef std::uint32_t Pair;  // the earlier one of k in the low half
typedef Pair Pairs __attribute__((vector_size(kVectorBytes), may_alias));
typedef std::uint16_t Words __attribute__((vector_size(kVectorBytes), may_alias));

/// Where the pairs of a block of a lie: element (i, pair) at i * kRow + pair * kNext.
struct PackedRows {
  static constexpr Index kRow = kPairs, kNext = 1;
};
struct PackedColumns {
  static constexpr Index kRow = 1, kNext = kBlock;
};

/// The first n of the lanes.
inline __mmask16 first(Index n) {
  return n >= kW ? __mmask16(0xffff) : __mmask16((1u << max<Index>(n, 0)) - 1);
}

/// Both vectors rounded, `low` in the low half. NaN stays NaN.
inline Pairs rounded(__m512 low, __m512 high) { return (Pairs)_mm512_cvtne2ps_pbh(high, low); }

inline void store(Pair* p, Pairs v) { *reinterpret_cast<Pairs*>(p) = v; }

/// c (kRows, kVecs vectors) = start + a (kRows, pairs) b (pairs, kVecs vectors), where start is c itself, the
/// bias, or 0. Of the last vector, only the lanes `last` exist in c and bias.
template <int kRows, int kVecs, typename A>
inline void tile(Index pairs, const Pair* a, const Pair* b, float* c, Index ldc, bool from_c,
                 const float* bias, __mmask16 last) {
  const bool starts = from_c || bias;
  __m512 sum[kRows][kVecs];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kVecs; ++j) {
      const float* start = from_c ? c + i * ldc : bias;
      const __mmask16 mask = j + 1 < kVecs ? __mmask16(0xffff) : last;
      sum[i][j] = starts ? _mm512_maskz_loadu_ps(mask, start + j * kW) : _mm512_setzero_ps();
    }
  for (Index p = 0; p < pairs; ++p) {
    __m512bh row[kVecs];
#pragma GCC unroll 4
    for (int j = 0; j < kVecs; ++j)
      row[j] = (__m512bh) * reinterpret_cast<const Pairs*>(b + (p * kVecs + j) * kW);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const __m512bh a_ip = (__m512bh)(a[i * A::kRow + p * A::kNext] - Pairs{});
#pragma GCC unroll 4
      for (int j = 0; j < kVecs; ++j) sum[i][j] = _mm512_dpbf16_ps(sum[i][j], a_ip, row[j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kVecs; ++j)
      _mm512_mask_storeu_ps(c + i * ldc + j * kW, j + 1 < kVecs ? __mmask16(0xffff) : last, sum[i][j]);
}

/// Rounds elements [p0, p0 + depth) of a row into pairs; an odd one is paired with 0.
inline void pack_row(const float* row, Index depth, Pair* packed) {
  for (Index p = 0; p < depth; p += 2 * kW) {
    const __m512 low = _mm512_maskz_loadu_ps(first(depth - p), row + p);
    const __m512 high = _mm512_maskz_loadu_ps(first(depth - p - kW), row + p + kW);
    store(packed + p / 2, rounded(low, high));
  }
}

// Rows fetched before they are packed: the processor does not foresee where the next one begins, and waiting
// for the weights, which a training step finds outside the caches, took a fifth of the product's time.
inline constexpr Index kAhead = 16;

/// Words of the low half and of the high half in turns.
template <std::size_t... kWord>
inline Words zip(Words both, std::index_sequence<kWord...>) {
  return __builtin_shufflevector(both, both, (kWord / 2 + (kWord % 2) * kW)...);
}

/// Rounds rows [p0, p0 + depth) of a matrix, `width` elements from `from` on, into rows of kVecs vectors of
/// pairs. Row p begins at from + (rows ? rows[p] : p) * stride. What lies behind the ends is 0.
template <int kVecs>
inline void pack_rows(const float* from, Index stride, const std::int64_t* rows, Index p0, Index depth,
                      Index width, Pair* packed) {
  for (Index p = 0; p < depth; p += 2, packed += kVecs * kW) {
    const float* low = from + (rows ? rows[p0 + p] : p0 + p) * stride;
    const bool odd = p + 1 == depth;
    const float* high = odd ? low : from + (rows ? rows[p0 + p + 1] : p0 + p + 1) * stride;
#pragma GCC unroll 4
    for (int j = 0; j < kVecs; ++j) {
      const __mmask16 mask = first(width - j * kW);
      __builtin_prefetch(low + kAhead * stride + j * kW);
      __builtin_prefetch(low + (kAhead + 1) * stride + j * kW);
      const Words both = (Words)rounded(_mm512_maskz_loadu_ps(mask, low + j * kW),
                                        _mm512_maskz_loadu_ps(odd ? __mmask16(0) : mask, high + j * kW));
      store(packed + j * kW, (Pairs)zip(both, std::make_index_sequence<2 * kW>()));
    }
  }
}

/// Of rows kStep apart: where one bit of the lane's number is 0, `low` takes from the first, else from the
/// second row, kStep lanes below; `high` the other way round.
template <int kStep, std::size_t... kLane>
inline void exchange(Pairs& low, Pairs& high, std::index_sequence<kLane...>) {
  const Pairs a = low, b = high;
  low = __builtin_shufflevector(a, b, (kLane & kStep ? kW + kLane - kStep : kLane)...);
  high = __builtin_shufflevector(a, b, (kLane & kStep ? kW + kLane : kLane + kStep)...);
}

/// 16 x 16 pairs: rows become columns.
template <int kStep = kW / 2>
inline void transpose(Pairs (&row)[kW]) {
  if constexpr (kStep > 0) {
#pragma GCC unroll 16
    for (int i = 0; i < kW; ++i)
      if (!(i & kStep)) exchange<kStep>(row[i], row[i + kStep], std::make_index_sequence<kW>());
    transpose<kStep / 2>(row);
  }
}

/// As pack_rows, of the transpose: column j of what is packed begins at from + j * stride.
template <int kVecs>
inline void pack_columns(const float* from, Index stride, Index depth, Index width, Pair* packed) {
  for (int j = 0; j < kVecs; ++j)
    for (Index p = 0; p < depth; p += 2 * kW) {
      const __mmask16 low = first(depth - p), high = first(depth - p - kW);
      Pairs block[kW];
#pragma GCC unroll 16
      for (int r = 0; r < kW; ++r) {
        const Index column = j * kW + r;
        const float* at = from + min(column, width - 1) * stride + p;
        __builtin_prefetch(at + kW * stride);
        __builtin_prefetch(at + kW * stride + kW);
        const bool there = column < width;
        block[r] = rounded(_mm512_maskz_loadu_ps(there ? low : __mmask16(0), at),
                           _mm512_maskz_loadu_ps(there ? high : __mmask16(0), at + kW));
      }
      transpose(block);
#pragma GCC unroll 16
      for (int q = 0; q < kW; ++q) store(packed + ((p / 2 + q) * kVecs + j) * kW, block[q]);
    }
}

/// What a part of the sum is made of: b packed for each tile's columns, a for a block of rows.
struct Packed {
  alignas(64) Pair b[kPanels * kColumns / kWide][kPairs * kWide];
  alignas(64) Pair a[kBlock * kPairs];
};

/// kVecs vectors of columns of one panel.
template <int kVecs>
struct Strip {
  static constexpr int kRows = tile_rows(kVecs);

  const Product<float>& s;
  Index j0, width;
  Pair* b;

  void pack_b(Index p0, Index depth) const {
    if (s.layout == Layout::kNT) {
      pack_columns<kVecs>(s.b + j0 * s.ldb + p0, s.ldb, depth, width, b);
    } else {
      pack_rows<kVecs>(s.b + j0, s.ldb, nullptr, p0, depth, width, b);
    }
  }

  /// Rows [i, i + rows) with rows <= kN: dispatches to the tile of just that height.
  template <int kN, typename A>
  void rows_of(Index i, Index rows, Index pairs, const Pair* a, bool from_c) const {
    if constexpr (kN > 0) {
      if (rows < kN) return rows_of<kN - 1, A>(i, rows, pairs, a, from_c);
      tile<kN, kVecs, A>(pairs, a, b, s.c + i * s.ldc + j0, s.ldc, from_c, s.bias ? s.bias + j0 : nullptr,
                         first(width - (kVecs - 1) * kW));
    }
  }

  template <typename A>
  void block(Index i0, Index i1, Index pairs, const Pair* a, bool from_c) const {
    for (Index i = i0; i < i1; i += kRows)
      rows_of<kRows, A>(i, min<Index>(kRows, i1 - i), pairs, a + (i - i0) * A::kRow, from_c);
  }
};

/// Calls f with the strip of columns [j0, j0 + width), 0 < width <= kWide.
template <int kVecs = kVectors, typename F>
void with_strip(const Product<float>& s, Index j0, Index width, Pair* b, F f) {
  if constexpr (kVecs > 0) {
    if (width <= (kVecs - 1) * kW) return with_strip<kVecs - 1>(s, j0, width, b, f);
    f(Strip<kVecs>{s, j0, width, b});
  }
}

template <typename F>
void each_strip(const Product<float>& s, Index j0, Index width, Packed& packed, F f) {
  for (Index j = 0; j < width; j += kWide)
    with_strip(s, j0 + j, min(kWide, width - j), packed.b[j / kWide], f);
}

void pack_a(const Product<float>& s, Index i0, Index i1, Index p0, Index depth, Pair* a) {
  if (s.layout == Layout::kTN) {
    pack_rows<kBlock / kW>(s.a + i0, s.lda, s.rows, p0, depth, i1 - i0, a);
  } else {
    for (Index i = i0; i < i1; ++i)
      pack_row(s.a + (s.rows ? s.rows[i] : i) * s.lda + p0, depth, a + (i - i0) * kPairs);
  }
}

Index units(const Product<float>& s) { return count_units(s, kColumns); }

void run(const Product<float>& s, Index begin, Index end) {
  each_panel(
      s, kColumns, begin, end,
      [&s](Index j0, Index width, Index i0, Index i1) {
        Packed packed;
        const Index all = (s.k + 1) / 2;
        const Index chunks = max<Index>(1, (all + kPairs - 1) / kPairs);
        Index p0 = 0;
        for (Index chunk = 1; chunk <= chunks; ++chunk) {  // once even with k = 0: c still becomes the bias
          const Index depth = min(s.k, 2 * (all * chunk / chunks)) - p0, pairs = (depth + 1) / 2;
          const bool from_c = s.accumulate || p0 > 0;
          each_strip(s, j0, width, packed, [&](const auto& strip) { strip.pack_b(p0, depth); });
          for (Index block = i0; block < i1; block += kBlock) {
            const Index stop = min(i1, block + kBlock);
            pack_a(s, block, stop, p0, depth, packed.a);
            each_strip(s, j0, width, packed, [&](const auto& strip) {
              if (s.layout == Layout::kTN) {
                strip.template block<PackedColumns>(block, stop, pairs, packed.a, from_c);
              } else {
                strip.template block<PackedRows>(block, stop, pairs, packed.a, from_c);
              }
            });
            if (chunk == chunks) finish(s, block, stop - block, j0, width);
          }
          p0 += depth;
        }
      },
      kPanels);
}

inline constexpr int kSums = 24;  // as in roof.cpp

void multiply_add(float* values, float factor, Index rounds) {
  const __m512 factors = _mm512_set1_ps(factor), ones = _mm512_set1_ps(1);
  const __m512bh scale = (__m512bh)rounded(factors, factors), one = (__m512bh)rounded(ones, ones);
  __m512 sum[kSums];
#pragma GCC unroll 24
  for (int i = 0; i < kSums; ++i) sum[i] = _mm512_loadu_ps(values + i * kW);
  for (Index round = 0; round < rounds; ++round) {
#pragma GCC unroll 24
    for (int i = 0; i < kSums; ++i) sum[i] = _mm512_dpbf16_ps(sum[i], scale, one);
  }
#pragma GCC unroll 24
  for (int i = 0; i < kSums; ++i) _mm512_storeu_ps(values + i * kW, sum[i]);
}

}  // namespace

extern const Bf16Kernels bf16;
constinit const Bf16Kernels bf16{"avx512_bf16", {units, run}, kSums * kW, multiply_add};

}  // namespace initcore::INITCORE_ISA
