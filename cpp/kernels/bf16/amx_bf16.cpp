// The product of bfloat16 operands by TDPBF16PS: 16 x 16 sums, and 16 pairs to each of them at once.
//
// Four tiles hold 32 x 32 sums, two hold rows of a, one columns of b, and the last one is a witness: virtual
// machines have been seen to lose all tiles when another thread gets the processor. It holds a mark that is
// never used twice; where it is gone after some sums, they are computed again. So sums leave the tiles for a
// buffer of their own, and c is touched only when they are known to be whole. A machine that loses tiles at
// every attempt gets the same sums from ordinary registers.
#include "kernels/bf16/blocks.h"
#include "kernels/bf16/tiles.h"
#include "kernels/gemm_bf16.h"

namespace initcore::INITCORE_ISA {
namespace {

inline constexpr Index kSide = 16;  // of a tile: rows, and pairs or sums in a row
static_assert(kSide == kW);

// Which tile is what: sums of the upper rows, of the lower rows, and so on.
inline constexpr int kUpper = 0, kLower = 2, kA = 4, kB = 6, kWitness = 7, kTiles = 8;

// Attempts at a block of sums, each of about a microsecond: a thread is not interrupted so often in a row.
inline constexpr int kAttempts = 8;

constexpr TileConfig configured() {
  TileConfig config{.palette = 1};
  for (int tile = 0; tile < kWitness; ++tile) config.rows[tile] = kSide, config.bytes[tile] = 64;
  config.rows[kWitness] = 1, config.bytes[kWitness] = sizeof(std::uint64_t);
  return config;
}

constexpr TileConfig kConfig = configured();

/// As blocks.h asks for it. Of b, 16 KB are packed for each strip; of a, steps one behind the other, in each
/// of them the rows: a tile is one piece of 1 KB.
struct Amx {
  static constexpr Index kRows = 64, kPairs = 128, kStep = kSide, kWide = 2 * kSide, kStrips = 4, kPanels = 2;

  typedef float Sums[2 * kSide][kWide];

  Tiles tiles{kConfig};

  /// Rows behind the last one are left as they are: what they are multiplied to, nobody reads.
  static void pack_a(const Product<float>& s, Index i0, Index i1, Index p0, Index depth, Pair* a) {
    if (s.layout != Layout::kTN) {
      for (Index i = i0; i < i1; ++i)
        pack_row(s.a + i * s.lda + p0, depth, a + (i - i0) * kSide, kRows * kSide);
      return;
    }
    for (Index p = 0; p < depth; p += 2 * kStep, a += kRows * kSide)
      for (Index i = 0; i < i1 - i0; i += kSide) {
        alignas(64) Pair block[kSide * kSide] = {};
        pack_rows<1>(s.a + i0 + i, s.lda, p0 + p, min(2 * kStep, depth - p), i1 - i0 - i, block);
        Pairs row[kSide];
#pragma GCC unroll 16
        for (int q = 0; q < kSide; ++q) row[q] = load(block + q * kSide);
        transpose(row);
#pragma GCC unroll 16
        for (int r = 0; r < kSide; ++r) store(a + (i + r) * kSide, row[r]);
      }
  }

  static void pack_b(const Product<float>& s, Index j0, Index width, Index p0, Index depth, Pair* b) {
    if (s.layout == Layout::kNT) {
      pack_columns<kWide / kW>(s.b + j0 * s.ldb + p0, s.ldb, depth, width, b);
    } else {
      pack_rows<kWide / kW>(s.b + j0, s.ldb, p0, depth, width, b);
      for (Index pair = (depth + 1) / 2; pair % kStep; ++pair)  // the rest of the last step
        for (Index j = 0; j < kWide; j += kW) store(b + pair * kWide + j, Pairs{});
    }
  }

  void multiply(const Product<float>& s, Index i0, Index i1, Index j0, Index width, Index depth,
                const Pair* a, const Pair* b, bool from_c) {
    const Index steps = (depth + 2 * kStep - 1) / (2 * kStep);
    for (Index i = i0; i < i1; i += 2 * kSide, a += 2 * kSide * kSide) {
      const Index rows = min(2 * kSide, i1 - i);
      alignas(64) Sums sums;
      if (rows > kSide) {
        width > kSide ? sum_up<2, 2>(steps, a, b, sums) : sum_up<2, 1>(steps, a, b, sums);
      } else {
        width > kSide ? sum_up<1, 2>(steps, a, b, sums) : sum_up<1, 1>(steps, a, b, sums);
      }
      write(s, i, rows, j0, width, sums, from_c);
    }
  }

  /// Sums of kDown times kAcross tiles.
  template <int kDown, int kAcross>
  void sum_up(Index steps, const Pair* a, const Pair* b, Sums& sums) {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      std::uint64_t mark = __rdtsc(), seen = 0;
      tiles.load<kWitness>(&mark, sizeof mark);
      each_sum<kDown, kAcross>([this]<int kTile>(Index, Index) { tiles.zero<kTile>(); });
      for (Index step = 0; step < steps; ++step) {
        const Pair *a_step = a + step * kRows * kSide, *b_step = b + step * kStep * kWide;
        tiles.load<kA>(a_step, 64);
        if constexpr (kDown > 1) tiles.load<kA + 1>(a_step + kSide * kSide, 64);
        column<kDown, 0>(b_step);
        if constexpr (kAcross > 1) column<kDown, 1>(b_step + kSide);
      }
      each_sum<kDown, kAcross>(
          [&, this]<int kTile>(Index i, Index j) { tiles.store<kTile>(&sums[i][j], sizeof sums[i]); });
      tiles.store<kWitness>(&seen, sizeof seen);
      if (seen == mark) return;
    }
    sum_up_without_tiles(steps, kDown * kSide, kAcross * kSide, a, b, sums);
  }

  /// The same bits: in each step the earlier elements of the pairs are summed up apart from the later ones.
  /// Intel, Software Developer's Manual, volume 2, TDPBF16PS.
  static void sum_up_without_tiles(Index steps, Index rows, Index columns, const Pair* a, const Pair* b,
                                   Sums& sums) {
    const auto widened = [](Pairs upper_halves) { return (__m512)(upper_halves & 0xffff0000u); };
    for (Index i = 0; i < rows; ++i)
      for (Index j = 0; j < columns; j += kW) {
        __m512 sum = _mm512_setzero_ps();
        for (Index step = 0; step < steps; ++step) {
          __m512 earlier = _mm512_setzero_ps(), later = earlier;
          for (Index p = 0; p < kSide; ++p) {
            const Pairs left = a[(step * kRows + i) * kSide + p] - Pairs{};
            const Pairs right = load(b + (step * kStep + p) * kWide + j);
            earlier = flushed(_mm512_fmadd_ps(widened(left << 16), widened(right << 16), earlier));
            later = flushed(_mm512_fmadd_ps(widened(left), widened(right), later));
          }
          sum = flushed(sum + flushed(earlier + later));
        }
        _mm512_store_ps(&sums[i][j], sum);
      }
  }

  /// Of subnormal numbers nothing remains but the sign.
  static __m512 flushed(__m512 x) {
    const Pairs bits = (Pairs)x;
    return (__m512)((bits & 0x7f800000u) == 0 ? bits & 0x80000000u : bits);
  }

  /// Multiplies the rows of a with one tile of columns.
  template <int kDown, int kColumn>
  void column(const Pair* b) {
    tiles.load<kB>(b, kWide * Index(sizeof(Pair)));
    tiles.multiply_add<kUpper + kColumn, kA, kB>();
    if constexpr (kDown > 1) tiles.multiply_add<kLower + kColumn, kA + 1, kB>();
  }

  /// f<tile>(row, column) for each tile of sums.
  template <int kDown, int kAcross, typename F>
  static void each_sum(F f) {
    f.template operator()<kUpper>(0, 0);
    if constexpr (kAcross > 1) f.template operator()<kUpper + 1>(0, kSide);
    if constexpr (kDown > 1) f.template operator()<kLower>(kSide, 0);
    if constexpr (kDown > 1 && kAcross > 1) f.template operator()<kLower + 1>(kSide, kSide);
  }

  /// c = sums, added to c itself, or to the bias if there is one.
  static void write(const Product<float>& s, Index i, Index rows, Index j0, Index width, const Sums& sums,
                    bool from_c) {
    for (Index j = 0; j < width; j += kW) {
      const __mmask16 lanes = first(width - j);
      const __m512 bias = s.bias ? _mm512_maskz_loadu_ps(lanes, s.bias + j0 + j) : _mm512_setzero_ps();
      for (Index r = 0; r < rows; ++r) {
        float* c = s.c + (i + r) * s.ldc + j0 + j;
        const __m512 start = from_c ? _mm512_maskz_loadu_ps(lanes, c) : bias;
        _mm512_mask_storeu_ps(c, lanes, start + _mm512_load_ps(&sums[r][j]));
      }
    }
  }
};

/// A tile product is sixteen rounds; of the last one, pairs of 0 leave out what is too much.
void multiply_add(float* values, float factor, Index rounds) {
  alignas(64) Pair a[kSide * kSide], b[kSide * kSide];
  const __m512 factors = _mm512_set1_ps(factor), ones = _mm512_set1_ps(1);
  for (Index i = 0; i < kSide * kSide; i += kSide)
    store(a + i, rounded(factors, factors)), store(b + i, rounded(ones, ones));
  Tiles tiles{kConfig};
  const auto each_sum = [](auto f) { Amx::each_sum<2, 2>(f); };
  const auto at = [values](Index i, Index j) { return values + (i / kSide * 2 + j / kSide) * kSide * kSide; };
  const auto add = [&tiles]<int kTile>(Index, Index) { tiles.multiply_add<kTile, kA, kB>(); };
  each_sum([&]<int kTile>(Index i, Index j) { tiles.load<kTile>(at(i, j), 64); });
  tiles.load<kB>(b, 64);
  tiles.load<kA>(a, 64);
  for (; rounds >= kSide; rounds -= kSide) each_sum(add);
  for (Index i = 0; i < kSide; ++i)
    for (Index pair = rounds; pair < kSide; ++pair) a[i * kSide + pair] = 0;
  tiles.load<kA>(a, 64);
  each_sum(add);
  each_sum([&]<int kTile>(Index i, Index j) { tiles.store<kTile>(at(i, j), 64); });
}

template <int... kTile>
bool kept(void (*pause)() noexcept, std::integer_sequence<int, kTile...>) {
  alignas(64) std::uint64_t held[kTiles][kSide * 8], seen[kTiles][kSide * 8] = {};
  for (auto& tile : held)
    for (std::uint64_t& word : tile) word = __rdtsc();
  {
    Tiles tiles{kConfig};
    (tiles.load<kTile>(held[kTile], 64), ...);
    pause();
    (tiles.store<kTile>(seen[kTile], 64), ...);
  }
  bool same = true;
  for (int tile = 0; tile < kTiles; ++tile)
    for (Index i = 0; i < (tile == kWitness ? 1 : kSide * 8); ++i) same &= held[tile][i] == seen[tile][i];
  return same;
}

bool kept(void (*pause)() noexcept) { return kept(pause, std::make_integer_sequence<int, kTiles>()); }

}  // namespace

extern const Bf16Kernels bf16;
constinit const Bf16Kernels bf16{"amx_bf16", {way<Amx>, 64}, 4 * kSide * kSide, multiply_add, kept};

}  // namespace initcore::INITCORE_ISA
