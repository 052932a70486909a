// The matrix product: a register tile of outer products, and the loops around it.
//
// c is cut into panels of kColumns columns and blocks of kBlock rows; a unit of work is one block of one
// panel. A panel of b that few rows of c need is read where it lies. Else up to kPackedDepth of its rows at a
// time are packed (which absorbs transposition, ragged edges and leading dimensions), then tile() runs down
// the rows of c with them in the L1 cache. An element of c is always summed over k in the same order, so
// neither threads nor tiles change its bits. Where c is narrow (few columns) or flat (few rows, beside a
// large b that would have to be transposed), c^T is computed instead; few scalar products are in gemm_thin.h.
#include "kernels/gemm.h"

#include "kernels/both.h"
#include "kernels/gemm_operands.h"
#include "kernels/gemm_thin.h"
#include "kernels/gemm_transpose.h"

namespace initcore::INITCORE_ISA {
namespace {

// The register tile, rows x vectors of accumulators: with the operands it fills the register file, and
// there are enough independent sums to hide the latency of a multiply-add (4 cycles, 2 a cycle).
// Van Zee & van de Geijn 2015, doi:10.1145/2764454, section 4.
inline constexpr int kVectors = kRegisters == 32 ? 4 : 2;

// Few rows take panels twice as wide, and one row four times: what lies together in b is read together.
inline constexpr int kWide = 2 * kVectors, kWidest = 4 * kVectors;

constexpr int tile_rows(int vectors) {
  return vectors > kWide ? 1 : vectors > kVectors ? 3 : vectors == kVectors ? 6 : 8;
}

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
// itself.
inline constexpr Index kUnpackedRows = 256, kUnpackedDepth = 512;

// More than so many rows of b that are whole pages apart push each other out of all caches: those are packed
// for more than so many rows of c.
inline constexpr Index kPage = 4096, kColliding = 128, kCollidingRows = 24;

// Bytes of a that need not be fetched: they are still in the L2 cache when the next panel reads them.
inline constexpr Index kNear = 1048576;

/// c (kRows, kVecs vectors) = start + a (kRows, k) b (k, kVecs vectors), where start is c itself, the bias,
/// or 0; of the last vector, only the lanes `last` exist if kRagged. With kPack, b is packed on the way: the
/// first tile of a panel does it for the others. With kFetch, the next tile's part of a is fetched.
template <bool kPack, bool kRagged, bool kFetch, typename T, int kRows, int kVecs, typename A>
inline void tile(Index k, const A a, const RowsOfB<T> b, T* packed, T* c, Index ldc, bool from_c,
                 const T* bias, Index last) {
  constexpr int kW = kLanes<T>;
  const auto read = [last](const T* x, int j) {
    return kRagged && j == kVecs - 1 ? load_first(x + j * kW, last) : load(x + j * kW);
  };
  Vector<T> sum[kRows][kVecs];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 16
    for (int j = 0; j < kVecs; ++j)
      sum[i][j] = from_c ? read(c + i * ldc, j) : bias ? load(bias + j * kW) : Vector<T>{};
  const auto step = [&](Index p, const T* row_of_b) INITCORE_ALWAYS {
    if constexpr (kFetch) a.fetch_next(p);
    Vector<T> row[kVecs];
#pragma GCC unroll 16
    for (int j = 0; j < kVecs; ++j) {
      row[j] = load(row_of_b + j * kW);
      if constexpr (kPack) store<T>(packed + (p * kVecs + j) * kW, row[j]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const T a_ip = a(i, p);
#pragma GCC unroll 16
      for (int j = 0; j < kVecs; ++j) sum[i][j] += a_ip * row[j];
    }
  };
  const Index whole = kRagged ? min(k, b.whole) : k;
  for (Index p = 0; p < whole; ++p) step(p, b.at + p * b.ld);
  if constexpr (kRagged)
    for (Index p = whole; p < k; ++p) step(p, b.tail + (p - whole) * kVecs * kW);
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 16
    for (int j = 0; j < kVecs; ++j) {
      T* const to = c + i * ldc + j * kW;
      if (kRagged && j == kVecs - 1) {
        store_first<T>(to, sum[i][j], last);
      } else {
        store<T>(to, sum[i][j]);
      }
    }
}

/// One panel of c, kVecs vectors wide: rows [i0, i1), columns [j0, j0 + width).
template <typename T, int kVecs, template <typename, int> class A>
struct Panel {
  static constexpr int kRows = tile_rows(kVecs);
  static constexpr Index kStride = kVecs * kLanes<T>;
  static constexpr Index kPacked =
      kPackedDepth * min<Index>(kStride, kColumns<T>);  // wider ones have few rows
  static constexpr Index kDeepest = min(kPacked / kStride, A<T, kRows>::kDeepest);

  const Product<T>& s;
  Index j0, width;
  T bias[kStride];
  bool far = false;  // whether a must be fetched

  /// The tile at row i; its rows of b begin with row p0.
  template <int kN, bool kPack = false>
  void tile_at(Index i, Index p0, Index depth, const RowsOfB<T>& b, T* packed = nullptr) const {
    const auto run = [&]<bool kRagged, bool kFetch>() {
      tile<kPack, kRagged, kFetch, T, kN, kVecs>(depth, A<T, kN>(s, i, p0), b, packed, s.c + i * s.ldc + j0,
                                                 s.ldc, s.accumulate || p0 > 0, s.bias ? bias : nullptr,
                                                 width - (kVecs - 1) * kLanes<T>);
    };
    if (width < kStride) return run.template operator()<true, false>();
    if constexpr (!kPack && kVecs == kVectors && kN == kRows)
      if (far) return run.template operator()<false, true>();
    run.template operator()<false, false>();
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
    const Index end = (s.k - 1) * s.ldb + s.n - j0 - kStride;  // where the last whole row may begin
    const T* const at = s.b + p0 * s.ldb + j0;
    const Index whole = end < 0 ? 0 : min(depth, max<Index>(0, end / s.ldb + 1 - p0));
    T* const tail = packed + kPacked - (depth - whole) * kStride;
    for (Index p = whole; p < depth; ++p)
      for (Index j = 0; j < kStride; ++j)
        tail[(p - whole) * kStride + j] = j < width ? at[p * s.ldb + j] : T(0);
    return {at, s.ldb, whole, tail};
  }

  /// Not inlined: together, all panels would be too much for the compiler, which then spills pointers.
  [[gnu::noinline]] void run(Index i0, Index i1) {
    if (s.bias)
      for (Index j = 0; j < kStride; ++j) bias[j] = j < width ? s.bias[j0 + j] : T(0);
    const bool transposed = s.layout == Layout::kNT;
    const bool collide = s.ldb * Index(sizeof(T)) % kPage == 0 && s.k > kColliding;
    const Index few = collide ? kCollidingRows : kUnpackedRows;
    const bool unpacked = !transposed && (s.ldb == kStride || i1 - i0 <= few);
    const Index most = unpacked ? kUnpackedDepth : kDeepest;
    const Index chunks = max<Index>(1, (s.k + most - 1) / most);
    far = (i1 - i0) * s.k * Index(sizeof(T)) > kNear;
    alignas(64) T packed[kPacked];
    if (transposed && width < kStride)
      for (Index i = 0; i < min(s.k, kDeepest) * kStride; ++i) packed[i] = 0;
    Index p0 = 0;
    for (Index chunk = 1; chunk <= chunks; ++chunk) {  // once even with k = 0: c still becomes the bias
      const Index depth = s.k * chunk / chunks - p0;
      const bool last = chunk == chunks;
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
      for (Index block = i0; block < i1; block += kBlock) {
        const Index end = min(i1, block + kBlock);
        for (; i < end; i += kRows) rows_of<kRows>(i, min<Index>(kRows, end - i), p0, depth, b);
        if (last) finish(s, block, end - block, j0, width);
      }
      p0 += depth;
    }
  }
};

template <typename T, int kVecs, template <typename, int> class A>
void run_panel(const Product<T>& s, Index j0, Index width, Index i0, Index i1) {
  if constexpr (kVecs > 0) {
    if (width <= (kVecs - 1) * kLanes<T>) return run_panel<T, kVecs - 1, A>(s, j0, width, i0, i1);
    Panel<T, kVecs, A>{s, j0, width, {}}.run(i0, i1);
  }
}

template <typename T, template <typename, int> class A>
void run_panel(const Product<T>& s, Index j0, Index width, Index i0, Index i1) {
  run_panel<T, kWidest, A>(s, j0, width, i0, i1);
}

/// Columns of c up to which vectors are better filled along its rows, if a is stored so.
inline constexpr Index kNarrow = 10;

template <typename T>
bool is_narrow(const Product<T>& s) {
  return s.layout == Layout::kTN && s.n <= kNarrow && s.n % kLanes<T> != 0 && s.m >= 2 * kLanes<T> &&
         !s.rows && !s.accumulate && !s.bias;
}

/// The rows [j0, ...) of a narrow c as columns: c^T = b^T a^T.
template <typename T>
Product<T> turned(const Product<T>& s, Index j0, T* c) {
  Product<T> result;
  result.layout = Layout::kTN;
  result.m = s.n, result.n = s.m - j0, result.k = s.k;
  result.a = s.b, result.lda = s.ldb;
  result.b = s.a + j0, result.ldb = s.lda;
  result.c = c, result.ldc = kColumns<T>;
  return result;
}

template <typename T>
void run_narrow(const Product<T>& s, Index begin, Index end) {
  for (Index unit = begin; unit < end; ++unit) {
    const Index j0 = unit * kColumns<T>, width = min(kColumns<T>, s.m - j0);
    alignas(64) T part[kNarrow * kColumns<T>];
    const Product<T> t = turned(s, j0, part);
    run_panel<T, ColumnsOfA>(t, 0, width, 0, t.m);
    transpose<T, min(kLanes<T>, 8)>(part, kColumns<T>, s.n, width, s.c + j0 * s.ldc, s.ldc);
    finish(s, j0, width, 0, s.n);
  }
}

/// Numbers of a that are turned at a time: 128 KB, to be read from the L2 cache.
template <typename T>
inline constexpr Index kFlat = 131072 / Index(sizeof(T));

/// Rows of a and of c that are turned together, rounded up to whole vectors.
template <typename T>
Index flat_height(const Product<T>& s) {
  return min(kColumns<T>, (s.m + kLanes<T> - 1) / kLanes<T> * kLanes<T>);
}

/// Parts of k, for each of which a flat c is turned there and back.
template <typename T>
Index flat_parts(const Product<T>& s) {
  return max<Index>(1, (s.k * flat_height(s) + kFlat<T> - 1) / kFlat<T>);
}

/// Whether c^T = b a^T costs less where b lies along k: a and c are transposed for it, instead of b. An
/// element of c counts four times: it is read and written where it lies, rows of c away from the next one.
/// Against that stand the lanes that c^T leaves empty: transposing a number takes as long as eight
/// multiply-adds.
template <typename T>
bool is_flat(const Product<T>& s) {
  if (s.layout != Layout::kNT || s.rows || s.bias) return false;
  const Index empty = (kLanes<T> - s.m % kLanes<T>) % kLanes<T>;
  return 8 * s.m * (s.k + 4 * s.n * flat_parts(s)) + empty * s.n * s.k < 8 * s.n * s.k;
}

/// Units of the turned product: blocks of its rows, which are columns of c, in panels of its columns.
template <typename T>
void run_flat(const Product<T>& s, Index begin, Index end) {
  const Product<T> turned{.m = s.n, .n = s.m};
  const Index stride = flat_height(s), parts = flat_parts(s);
  each_panel(turned, kBlock, stride, begin, end, [&](Index i0, Index height, Index j0, Index j1) {
    alignas(64) T packed[kFlat<T>], block[kBlock * kColumns<T>];
    Index p0 = 0;
    for (Index part = 1; part <= parts; ++part) {
      const Index depth = s.k * part / parts - p0;
      transpose(s.a + i0 * s.lda + p0, s.lda, height, depth, packed, stride);
      for (Index j = j0; j < j1; j += kBlock) {
        const Index width = min(kBlock, j1 - j);
        T* const c = s.c + i0 * s.ldc + j;
        const bool accumulate = s.accumulate || p0 > 0;
        if (accumulate) transpose(c, s.ldc, height, width, block, stride);
        const Product<T> now{.m = width,
                             .n = height,
                             .k = depth,
                             .a = s.b + j * s.ldb + p0,
                             .lda = s.ldb,
                             .b = packed,
                             .ldb = stride,
                             .c = block,
                             .ldc = stride,
                             .accumulate = accumulate};
        run_panel<T, RowsOfA>(now, 0, height, 0, width);
        transpose(block, stride, width, height, c, s.ldc);
        if (part == parts) finish(s, i0, height, j, width);
      }
      p0 += depth;
    }
  });
}

template <typename T>
Index units_of(const Product<T>& s) {
  if (is_thin(s)) return thin_units(s);
  if (is_flat(s)) return count_units(Product<T>{.m = s.n, .n = s.m}, kBlock, flat_height(s));
  if (is_narrow(s)) return (s.m + kColumns<T> - 1) / kColumns<T>;
  return count_units(s, kBlock, columns(s));
}

template <typename T>
void run_units(const Product<T>& s, Index begin, Index end) {
  if (is_thin(s)) return run_thin(s, begin, end);
  if (is_flat(s)) return run_flat(s, begin, end);
  if (is_narrow(s)) return run_narrow(s, begin, end);
  each_panel(s, kBlock, columns(s), begin, end, [&s](Index j0, Index width, Index i0, Index i1) {
    if (s.layout != Layout::kTN) {
      run_panel<T, RowsOfA>(s, j0, width, i0, i1);
    } else if (s.rows) {
      run_panel<T, GatheredColumnsOfA>(s, j0, width, i0, i1);
    } else {
      run_panel<T, ColumnsOfA>(s, j0, width, i0, i1);
    }
  });
}

/// Elements of a from which cutting a product in two pays for itself.
inline constexpr Index kCut = 4096;

/// The columns of c in whole vectors, if the rest is faster as a product of its own than as a vector most of
/// whose lanes are empty; else all of them.
template <typename T>
Index whole_columns(const Product<T>& s) {
  const Index rest = s.n % kLanes<T>, whole = s.n - rest;
  if (rest == 0 || whole < 2 * kLanes<T> || s.m * s.k < kCut || is_thin(s) || is_narrow(s)) return s.n;
  const Product<T> last = columns_of(s, whole, rest);
  return is_thin(last) || is_narrow(last) ? whole : s.n;
}

template <typename T>
Index units(const Product<T>& s) {
  const Index whole = whole_columns(s);
  if (whole == s.n) return units_of(s);
  return units_of(columns_of(s, 0, whole)) + units_of(columns_of(s, whole, s.n - whole));
}

template <typename T>
void run(const Product<T>& s, Index begin, Index end) {
  const Index whole = whole_columns(s);
  if (whole == s.n) return run_units(s, begin, end);
  const Product<T> first = columns_of(s, 0, whole), last = columns_of(s, whole, s.n - whole);
  const Index units = units_of(first);
  if (begin < units) run_units(first, begin, min(end, units));
  if (end > units) run_units(last, max(begin, units) - units, end - units);
}

}  // namespace

extern const Both<GemmKernels> gemm;
constinit const Both<GemmKernels> gemm{{units<float>, run<float>, 8}, {units<double>, run<double>, 8}};

}  // namespace initcore::INITCORE_ISA
