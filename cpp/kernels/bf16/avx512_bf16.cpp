// The product of bfloat16 operands by VDPBF16PS: two multiply-adds in each lane of a 512-bit register.
//
// With intrinsics: compilers have no other name for this instruction.
#include "kernels/bf16/blocks.h"
#include "kernels/gemm_bf16.h"

namespace initcore::INITCORE_ISA {
namespace {

// The register tile, rows x vectors: as for float32, see gemm.cpp.
inline constexpr int kVectors = 4;
constexpr int tile_rows(int vectors) { return vectors == kVectors ? 6 : 8; }

inline constexpr Index kDeep = 128;  // pairs of the sum that are packed at a time

/// Where the pairs of a block of a lie: element (i, pair) at i * kRow + pair * kNext.
struct PackedRows {
  static constexpr Index kRow = kDeep, kNext = 1;
};
struct PackedColumns {
  static constexpr Index kRow = 1, kNext = kBlock;
};

/// c (kHigh, kVecs vectors) = start + a (kHigh, pairs) b (pairs, kVecs vectors), where start is c itself, the
/// bias, or 0. Of the last vector, only the lanes `last` exist in c and bias.
template <int kHigh, int kVecs, typename A>
inline void tile(Index pairs, const Pair* a, const Pair* b, float* c, Index ldc, bool from_c,
                 const float* bias, __mmask16 last) {
  const bool starts = from_c || bias;
  __m512 sum[kHigh][kVecs];
#pragma GCC unroll 8
  for (int i = 0; i < kHigh; ++i)
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
    for (int i = 0; i < kHigh; ++i) {
      const __m512bh a_ip = (__m512bh)(a[i * A::kRow + p * A::kNext] - Pairs{});
#pragma GCC unroll 4
      for (int j = 0; j < kVecs; ++j) sum[i][j] = _mm512_dpbf16_ps(sum[i][j], a_ip, row[j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kHigh; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kVecs; ++j)
      _mm512_mask_storeu_ps(c + i * ldc + j * kW, j + 1 < kVecs ? __mmask16(0xffff) : last, sum[i][j]);
}

/// kVecs vectors of columns of one panel.
template <int kVecs>
struct Strip {
  static constexpr int kHigh = tile_rows(kVecs);

  const Product<float>& s;
  Index j0, width;

  /// Rows [i, i + rows) with rows <= kN: dispatches to the tile of just that height.
  template <int kN, typename A>
  void rows_of(Index i, Index rows, Index pairs, const Pair* a, const Pair* b, bool from_c) const {
    if constexpr (kN > 0) {
      if (rows < kN) return rows_of<kN - 1, A>(i, rows, pairs, a, b, from_c);
      tile<kN, kVecs, A>(pairs, a, b, s.c + i * s.ldc + j0, s.ldc, from_c, s.bias ? s.bias + j0 : nullptr,
                         first(width - (kVecs - 1) * kW));
    }
  }

  template <typename A>
  void block(Index i0, Index i1, Index pairs, const Pair* a, const Pair* b, bool from_c) const {
    for (Index i = i0; i < i1; i += kHigh)
      rows_of<kHigh, A>(i, min<Index>(kHigh, i1 - i), pairs, a + (i - i0) * A::kRow, b, from_c);
  }
};

/// Calls f with the strip of columns [j0, j0 + width), 0 < width <= kWide.
template <int kVecs = kVectors, typename F>
void with_strip(const Product<float>& s, Index j0, Index width, F f) {
  if constexpr (kVecs > 0) {
    if (width <= (kVecs - 1) * kW) return with_strip<kVecs - 1>(s, j0, width, f);
    f(Strip<kVecs>{s, j0, width});
  }
}

/// As blocks.h asks for it. A panel is two tiles side by side; two panels share one rounding of a, where one
/// thread computes both. Of b, 32 KB are packed for each tile's columns.
struct Avx512 {
  static constexpr Index kRows = kBlock, kPairs = kDeep, kStep = 1;
  static constexpr Index kWide = kVectors * kW, kStrips = 2, kPanels = 2;

  static void pack_a(const Product<float>& s, Index i0, Index i1, Index p0, Index depth, Pair* a) {
    if (s.layout == Layout::kTN) {
      pack_rows<kRows / kW>(s.a + i0, s.lda, p0, depth, i1 - i0, a);
    } else {
      for (Index i = i0; i < i1; ++i) pack_row(s.a + i * s.lda + p0, depth, a + (i - i0) * kPairs);
    }
  }

  static void pack_b(const Product<float>& s, Index j0, Index width, Index p0, Index depth, Pair* b) {
    with_strip(s, j0, width, [=, &s]<int kVecs>(const Strip<kVecs>&) {
      if (s.layout == Layout::kNT) {
        pack_columns<kVecs>(s.b + j0 * s.ldb + p0, s.ldb, depth, width, b);
      } else {
        pack_rows<kVecs>(s.b + j0, s.ldb, p0, depth, width, b);
      }
    });
  }

  static void multiply(const Product<float>& s, Index i0, Index i1, Index j0, Index width, Index depth,
                       const Pair* a, const Pair* b, bool from_c) {
    const Index pairs = (depth + 1) / 2;
    with_strip(s, j0, width, [=, &s](const auto& strip) {
      if (s.layout == Layout::kTN) {
        strip.template block<PackedColumns>(i0, i1, pairs, a, b, from_c);
      } else {
        strip.template block<PackedRows>(i0, i1, pairs, a, b, from_c);
      }
    });
  }
};

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
constinit const Bf16Kernels bf16{"avx512_bf16", {way<Avx512>, 16}, kSums * kW, multiply_add, nullptr};

}  // namespace initcore::INITCORE_ISA
