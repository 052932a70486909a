// The matrix product: a register tile of outer products, and the loops around it.
//
// c is cut into panels of kColumns columns and blocks of kBlock rows; a unit of work is one block of one
// panel. A panel of b that few rows of c need is read where it lies. Else up to kDepth of its rows at a time
// are packed (which absorbs transposition, ragged edges and leading dimensions), then tile() runs down the
// rows of c with them in the L1 cache. An element of c is always summed over k in the same order, so neither
// threads nor tiles change its bits. Products with few rows of c, or one column, have loops of their own in
// gemm_thin.h.
#include "kernels/gemm.h"

#include "kernels/both.h"
#include "kernels/gemm_thin.h"

namespace initcore::INITCORE_ISA {
namespace {

// The register tile, rows x vectors of accumulators: with the operands it fills the register file, and
// there are enough independent sums to hide the latency of a multiply-add (4 cycles, 2 a cycle).
// Van Zee & van de Geijn 2015, doi:10.1145/2764454, section 4.
inline constexpr int kVectors = kRegisters == 32 ? 4 : 2;

constexpr int tile_rows(int vectors) { return vectors == kVectors ? 6 : 8; }

/// Columns of a panel.
template <typename T>
inline constexpr Index kColumns = kVectors * kLanes<T>;

/// Rows of b packed at a time: the panel takes 32 KB, two thirds of a 48 KB L1 cache.
template <typename T>
inline constexpr Index kDepth = 32768 / (kColumns<T> * Index(sizeof(T)));

// For up to so many rows of c, b is read where it lies, so many of its rows at a time: from the L2 cache,
// that is, where its rows are far enough apart to push each other out of L1. For more, packing pays for
// itself.
inline constexpr Index kUnpackedRows = 256, kUnpackedDepth = 512;

/// The rows of a that a tile reads: element (i, p) of a or of its transpose.
template <typename T, int kRows>
struct RowsOfA {
  const T* row[kRows];
  RowsOfA(const Product<T>& s, Index i0, Index p0) {
    for (int i = 0; i < kRows; ++i) row[i] = s.a + (s.rows ? s.rows[i0 + i] : i0 + i) * s.lda + p0;
  }
  T operator()(int i, Index p) const { return row[i][p]; }
};

template <typename T, int kRows>
struct ColumnsOfA {
  const T* a;
  Index lda;
  ColumnsOfA(const Product<T>& s, Index i0, Index p0) : a(s.a + p0 * s.lda + i0), lda(s.lda) {}
  T operator()(int i, Index p) const { return a[p * lda + i]; }
};

template <typename T, int kRows>
struct GatheredColumnsOfA {
  const T* a;
  const std::int64_t* rows;
  Index lda;
  GatheredColumnsOfA(const Product<T>& s, Index i0, Index p0) : a(s.a + i0), rows(s.rows + p0), lda(s.lda) {}
  T operator()(int i, Index p) const { return a[rows[p] * lda + i]; }
};

/// c (kRows, kVecs vectors) = start + a (kRows, k) b (k, kVecs vectors), where start is c itself, the bias,
/// or 0. With kPack, b is packed on the way: the first tile of a panel does it for the others.
template <bool kPack, typename T, int kRows, int kVecs, typename A>
inline void tile(Index k, const A a, const T* b, Index ldb, T* packed, T* c, Index ldc, bool from_c,
                 const T* bias) {
  constexpr int kW = kLanes<T>;
  Vector<T> sum[kRows][kVecs];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kVecs; ++j)
      sum[i][j] = from_c ? load(c + i * ldc + j * kW) : bias ? load(bias + j * kW) : Vector<T>{};
  for (Index p = 0; p < k; ++p) {
    Vector<T> row[kVecs];
#pragma GCC unroll 4
    for (int j = 0; j < kVecs; ++j) {
      row[j] = load(b + p * ldb + j * kW);
      if constexpr (kPack) store<T>(packed + (p * kVecs + j) * kW, row[j]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const T a_ip = a(i, p);
#pragma GCC unroll 4
      for (int j = 0; j < kVecs; ++j) sum[i][j] += a_ip * row[j];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kVecs; ++j) store<T>(c + i * ldc + j * kW, sum[i][j]);
}

/// A 4 x 4 block, transposed: rows of `from` become columns of `to`.
template <typename T>
inline void transpose_4x4(const T* from, Index from_stride, T* to, Index to_stride) {
  typedef T Quad __attribute__((vector_size(4 * sizeof(T))));
  typedef T Unaligned __attribute__((vector_size(4 * sizeof(T)), aligned(alignof(T)), may_alias));
  Quad row[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) row[i] = *reinterpret_cast<const Unaligned*>(from + i * from_stride);
  const Quad low01 = __builtin_shufflevector(row[0], row[1], 0, 4, 1, 5);
  const Quad low23 = __builtin_shufflevector(row[2], row[3], 0, 4, 1, 5);
  const Quad high01 = __builtin_shufflevector(row[0], row[1], 2, 6, 3, 7);
  const Quad high23 = __builtin_shufflevector(row[2], row[3], 2, 6, 3, 7);
  const Quad column[4] = {__builtin_shufflevector(low01, low23, 0, 1, 4, 5),
                          __builtin_shufflevector(low01, low23, 2, 3, 6, 7),
                          __builtin_shufflevector(high01, high23, 0, 1, 4, 5),
                          __builtin_shufflevector(high01, high23, 2, 3, 6, 7)};
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) *reinterpret_cast<Unaligned*>(to + i * to_stride) = column[i];
}

/// to (depth, stride)[p, j] = from[j, p] for the first `width` columns.
template <typename T>
void transpose(const T* from, Index from_stride, Index width, Index depth, T* to, Index to_stride) {
  // Long rows lie far apart: the processor cannot guess the next ones.
  constexpr Index kAhead = 16, kLine = 64 / Index(sizeof(T));
  const bool fetch = depth >= 4 * kLine;
  const Index whole = depth - depth % 4;
  Index j = 0;
  for (; j + 4 <= width; j += 4)
    for (Index p = 0; p < whole; p += 4) {
      if (fetch && p % kLine == 0)
        for (Index r = 0; r < 4; ++r) __builtin_prefetch(from + (j + kAhead + r) * from_stride + p);
      transpose_4x4(from + j * from_stride + p, from_stride, to + p * to_stride + j, to_stride);
    }
  for (Index r = j; r < width; ++r)
    for (Index p = 0; p < whole; ++p) to[p * to_stride + r] = from[r * from_stride + p];
  for (Index p = whole; p < depth; ++p)
    for (Index r = 0; r < width; ++r) to[p * to_stride + r] = from[r * from_stride + p];
}

/// Packs rows [p0, p0 + depth) and columns [j0, j0 + width) of b (or of its transpose) into rows of
/// `stride` elements. What stands behind `width` is any number: those columns of a tile are not kept.
template <typename T>
void pack(const Product<T>& s, Index p0, Index depth, Index j0, Index width, Index stride, T* packed) {
  if (s.layout == Layout::kNT) {
    if (width < stride) {
#pragma omp simd
      for (Index i = 0; i < depth * stride; ++i) packed[i] = 0;
    }
    transpose(s.b + j0 * s.ldb + p0, s.ldb, width, depth, packed, stride);
    return;
  }
  // Whole vectors as long as b has that many elements: a row written in pieces could not be read at once.
  const Index end = (s.k - 1) * s.ldb + s.n;
  for (Index p = 0; p < depth; ++p) {
    const Index at = (p0 + p) * s.ldb + j0;
    const Index readable = at + stride <= end ? stride : width;
    for (Index j = readable; j < stride; ++j) packed[p * stride + j] = 0;
#pragma omp simd
    for (Index j = 0; j < readable; ++j) packed[p * stride + j] = s.b[at + j];
  }
}

/// One panel of c, kVecs vectors wide: rows [i0, i1), columns [j0, j0 + width).
template <typename T, int kVecs, template <typename, int> class A>
struct Panel {
  static constexpr int kRows = tile_rows(kVecs);
  static constexpr Index kStride = kVecs * kLanes<T>;

  const Product<T>& s;
  Index j0, width;
  T bias[kStride];

  /// Rows [i, i + rows) with rows <= kN: dispatches to the tile of just that height.
  template <int kN>
  void rows_of(Index i, Index rows, Index p0, Index depth, const T* b, Index ldb) const {
    if constexpr (kN > 0) {
      if (rows < kN) return rows_of<kN - 1>(i, rows, p0, depth, b, ldb);
      T* c = s.c + i * s.ldc + j0;
      const bool from_c = s.accumulate || p0 > 0;
      const A<T, kN> a(s, i, p0);
      if (width == kStride) {
        tile<false, T, kN, kVecs>(depth, a, b, ldb, nullptr, c, s.ldc, from_c, s.bias ? bias : nullptr);
      } else {  // ragged right edge: through a full-width copy
        alignas(64) T whole[kN * kStride];
        if (from_c)
          for (int r = 0; r < kN; ++r)
            for (Index j = 0; j < width; ++j) whole[r * kStride + j] = c[r * s.ldc + j];
        tile<false, T, kN, kVecs>(depth, a, b, ldb, nullptr, whole, kStride, from_c, s.bias ? bias : nullptr);
        for (int r = 0; r < kN; ++r)
          for (Index j = 0; j < width; ++j) c[r * s.ldc + j] = whole[r * kStride + j];
      }
    }
  }

  /// The first tile of rows, which reads b where it lies and packs it for the others.
  void first_rows(Index i, Index p0, Index depth, T* packed) const {
    const A<T, kRows> a(s, i, p0);
    tile<true, T, kRows, kVecs>(depth, a, s.b + p0 * s.ldb + j0, s.ldb, packed, s.c + i * s.ldc + j0, s.ldc,
                                s.accumulate || p0 > 0, s.bias ? bias : nullptr);
  }

  void run(Index i0, Index i1) {
    if (s.bias)
      for (Index j = 0; j < kStride; ++j) bias[j] = j < width ? s.bias[j0 + j] : T(0);
    const bool readable = width == kStride && s.layout != Layout::kNT;  // b's rows as they lie
    const bool unpacked = readable && (s.ldb == kStride || i1 - i0 <= kUnpackedRows);
    const Index most = unpacked ? kUnpackedDepth : kDepth<T>;
    const Index chunks = max<Index>(1, (s.k + most - 1) / most);
    alignas(64) T packed[kDepth<T> * kStride];
    Index p0 = 0;
    for (Index chunk = 1; chunk <= chunks; ++chunk) {  // once even with k = 0: c still becomes the bias
      const Index depth = s.k * chunk / chunks - p0;
      const bool last = chunk == chunks;
      const T* b = packed;
      Index ldb = kStride, i = i0;
      if (unpacked) {
        b = s.b + p0 * s.ldb + j0;
        ldb = s.ldb;
      } else if (readable) {
        first_rows(i0, p0, depth, packed);
        i += kRows;
      } else {
        pack(s, p0, depth, j0, width, kStride, packed);
      }
      for (Index block = i0; block < i1; block += kBlock) {
        const Index end = min(i1, block + kBlock);
        for (; i < end; i += kRows) rows_of<kRows>(i, min<Index>(kRows, end - i), p0, depth, b, ldb);
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

template <typename T>
Index units(const Product<T>& s) {
  return is_thin(s) ? count_units(thin(s).s, kBlock, kThinColumns) : count_units(s, kBlock, kColumns<T>);
}

template <typename T>
void run(const Product<T>& s, Index begin, Index end) {
  if (is_thin(s)) return run_thin(s, begin, end);
  each_panel(s, kBlock, kColumns<T>, begin, end, [&s](Index j0, Index width, Index i0, Index i1) {
    if (s.layout != Layout::kTN) {
      run_panel<T, kVectors, RowsOfA>(s, j0, width, i0, i1);
    } else if (s.rows) {
      run_panel<T, kVectors, GatheredColumnsOfA>(s, j0, width, i0, i1);
    } else {
      run_panel<T, kVectors, ColumnsOfA>(s, j0, width, i0, i1);
    }
  });
}

}  // namespace

extern const Both<GemmKernels> gemm;
constinit const Both<GemmKernels> gemm{{units<float>, run<float>, 8}, {units<double>, run<double>, 8}};

}  // namespace initcore::INITCORE_ISA
