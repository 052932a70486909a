// The matrix product: which way suits which form.
//
// c is cut into panels of kColumns columns and blocks of kBlock rows; a unit of work is one block of one
// panel (gemm_panel.h). An element of c is always summed over k in the same order, so neither threads nor
// tiles change its bits. Where c is narrow (few columns) or flat (few rows, beside a large b that would have
// to be transposed), c^T is computed instead; scalar products are in gemm_dots.h, what has a single row in
// gemm_row.h, the shortest sums in gemm_held.h, and what packs a as well, since it is large or read along its
// columns, in gemm_blocked.h and, with 16 registers, in gemm_strips.h; other short sums are then in
// gemm_shallow.h, beside a wide c, and in gemm_overlap.h, beside a narrow one.
#include "kernels/gemm.h"

#include "kernels/both.h"
#include "kernels/gemm_blocked.h"
#include "kernels/gemm_dots.h"
#include "kernels/gemm_held.h"
#include "kernels/gemm_overlap.h"
#include "kernels/gemm_row.h"
#include "kernels/gemm_shallow.h"
#include "kernels/gemm_strips.h"
#include "kernels/gemm_transpose.h"

namespace initcore::INITCORE_ISA {
namespace {

/// Columns of c up to which vectors are better filled along its rows, if a is stored so: few, and with 16
/// registers more if sums are long enough to pay for turning c. Along its columns a would have to be packed
/// first, for few panels; so it is what a panel's first tile packs on its way.
inline constexpr Index kNarrow = 10, kNarrowDepth = 64;
template <typename T>
inline constexpr Index kMostNarrow = kRegisters == 32 ? kNarrow : 256 / Index(sizeof(T)) - 1;

template <typename T>
bool is_narrow(const Product<T>& s) {
  return s.layout == Layout::kTN && s.n <= (s.k < kNarrowDepth ? kNarrow : kMostNarrow<T>) &&
         s.n % kLanes<T> != 0 && s.m > s.n && !s.accumulate && !s.bias;
}

/// Its rows that are computed together, as columns of c^T.
inline constexpr Index kNarrowRows = kRegisters == 32 ? 64 : 128;

/// The rows [j0, j0 + width) of a narrow c as columns: c^T = b^T a^T.
template <typename T>
Product<T> turned(const Product<T>& s, Index j0, Index width, T* c) {
  Product<T> result;
  result.layout = Layout::kTN;
  result.m = s.n, result.n = width, result.k = s.k;
  result.a = s.b, result.lda = s.ldb;
  result.b = s.a + j0, result.ldb = s.lda;
  result.c = c, result.ldc = kNarrowRows;
  return result;
}

template <typename T>
void run_narrow(const Product<T>& s, Index begin, Index end) {
  for (Index unit = begin; unit < end; ++unit) {
    const Index j0 = unit * kNarrowRows, width = min(kNarrowRows, s.m - j0);
    alignas(64) T part[kMostNarrow<T> * kNarrowRows];
    run_beside<T, ColumnsOfA>(turned(s, j0, width, part), 0, width, 0, s.n);
    transpose<T, min(kLanes<T>, 8)>(part, kNarrowRows, s.n, width, s.c + j0 * s.ldc, s.ldc);
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

/// Whether c^T = b a^T costs less where b lies along k: a and c are transposed for it, instead of b. To
/// transpose a number takes as long as some multiply-adds, and more if it is written where others push it out
/// of the cache; against that stand the lanes that each way leaves empty. With 16 registers those of a flat c
/// cost more: what is a single vector wide waits for the numbers of b, one for each multiply-add.
template <typename T>
bool is_flat(const Product<T>& s) {
  if (s.layout != Layout::kNT || s.bias) return false;
  // In multiply-adds, as measured on AVX-512, and on 50 000 forms with AVX2.
  constexpr Index kOfA = kRegisters == 32 ? 5 : 8, kEmpty = kRegisters == 32 ? 1 : 2, kOfB = 5;
  constexpr Index kWritten = 6, kWrittenFar = 15;
  const auto empty = [](Index n) { return (kLanes<T> - n % kLanes<T>) % kLanes<T>; };
  const Index written = s.ldc * Index(sizeof(T)) % kPage == 0 ? kWrittenFar : kWritten;
  const Index flat = kOfA * s.m * s.k + written * s.m * s.n * flat_parts(s) + kEmpty * empty(s.m) * s.n * s.k;
  return flat < kOfB * s.n * s.k + empty(s.n) * s.m * s.k;
}

/// Rows and columns of c^T. Its units: blocks of its rows, which are columns of c, in panels of its columns.
template <typename T>
Product<T> flat_turned(const Product<T>& s) {
  return {.m = s.n, .n = s.m};
}

template <typename T>
void run_flat(const Product<T>& s, Index begin, Index end) {
  const Index stride = flat_height(s), parts = flat_parts(s);
  each_panel(flat_turned(s), kBlock, stride, begin, end, [&](Index i0, Index height, Index j0, Index j1) {
    alignas(64) T packed[kFlat<T>], block[kBlock * kColumns<T>];
    const Index whole = (height + kLanes<T> - 1) / kLanes<T> * kLanes<T>;  // lanes behind the last row are 0
    if (height < whole) {
      for (Index p = 0; p < (s.k + parts - 1) / parts * stride; ++p) packed[p] = 0;
      for (Index j = 0; j < kBlock * stride; ++j) block[j] = 0;
    }
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
                             .n = whole,
                             .k = depth,
                             .a = s.b + j * s.ldb + p0,
                             .lda = s.ldb,
                             .b = packed,
                             .ldb = stride,
                             .c = block,
                             .ldc = stride,
                             .accumulate = accumulate};
        run_panel<T, RowsOfA>(now, 0, height, 0, width);
        // As many rows of c as a vector has lanes at a time: lines of more of them, a power of two apart,
        // push each other out of the cache before they are full.
        for (Index r = 0; r < height; r += kLanes<T>)
          transpose(block + r, stride, width, min<Index>(kLanes<T>, height - r), c + r * s.ldc, s.ldc);
        if (part == parts) finish(s, i0, height, j, width);
      }
      p0 += depth;
    }
  });
}

/// Whether a is packed too, for all rows of so many columns of c.
template <typename T>
bool packs_a(const Product<T>& s, Index width) {
  return kRegisters == 32 ? is_blocked(s, width) : is_stripped(s, width);
}

/// Rows of b that are read at a time for all of a low c. Where a lies along columns, those of a that such a
/// part needs stay in the L1 cache as well.
template <typename T>
Index low_depth(const Product<T>& s) {
  return s.layout == Layout::kTN ? kColumnDepth : 192;
}

/// Whether c has few rows and b is large. Panel by panel, what is read of b besides, the other ends of lines
/// and what was fetched for the next panel, would be gone from the caches before it is used, and each row
/// may be in a page of its own, more of which than a processor remembers. (Not measured with AVX-512.)
template <typename T>
bool is_low(const Product<T>& s) {
  if (kRegisters == 32 || s.layout == Layout::kNT || s.m == 1 || s.m > kBlock) return false;
  const Index least = s.layout == Layout::kTN ? 262144 : 1048576;
  return s.k >= 2 * low_depth(s) && s.n * s.k * Index(sizeof(T)) >= least && !packs_a(s, s.n);
}

template <typename T, template <typename, int> class A>
void run_low(const Product<T>& s, Index j0, Index width) {
  const Index depth = low_depth(s), parts = (s.k + depth - 1) / depth;
  for (Index part = 0; part < parts; ++part) {
    const Index p0 = s.k * part / parts, end = s.k * (part + 1) / parts;
    run_beside<T, A>(part_of(s, p0, end - p0), j0, width, 0, s.m);
  }
}

template <typename T, template <typename, int> class A>
void run_together(const Product<T>& s, Index begin, Index end) {
  each_panel(
      s, kBlock, columns(s), begin, end,
      [&s](Index j0, Index width, Index i0, Index i1) {
        if (is_low(s)) return run_low<T, A>(s, j0, width);
        if (packs_a(s, width)) {
          if constexpr (kRegisters == 32) {
            return run_blocked(s, j0, width);
          } else {
            return run_stripped<T, A>(s, j0, width);
          }
        }
        run_beside<T, A>(s, j0, width, i0, i1);
      },
      s.n);
}

template <typename T, template <typename, int> class A>
Way<T> way_of_panels(const Product<T>& s) {
  return {count_units(s, kBlock, columns(s)),
          packs_a(s, s.n) || is_low(s) ? run_together<T, A> : run_panels<T, A>};
}

template <typename T>
void run_lying(const Product<T>& s, Index begin, Index end);

/// Whether a c of few columns, whose b could be held, leaves so many lanes empty that scalar products, or
/// rows of c^T, are faster. (Measured on 2000 forms.)
template <typename T>
bool leaves_lanes_empty(const Product<T>& s) {
  if (kRegisters == 16) return false;
  return has_dots(s) || (kLanes<T> == 16 && s.k >= 2 * s.n && s.m > 2 * kLanes<T> && is_narrow(s));
}

template <typename T>
Way<T> way_of_whole(const Product<T>& s) {
  if (s.m == 0 || s.n == 0) return {0, run_panels<T, RowsOfA>};
  if (stands(s)) return {way_of_whole(lying(s)).units, run_lying<T>};
  if (holds_b(s) && !leaves_lanes_empty(s)) return way_of_held_b(s);
  if (is_overlapping(s))
    return {count_units(s, kBlock, s.n),
            s.layout == Layout::kTN ? run_overlapping<T, ColumnsOfA> : run_overlapping<T, RowsOfA>};
  if (has_dots(s)) return {count_units(s, kBlock, dot_columns(s)), run_dots<T>};
  if (is_long_row(s)) return {count_units(s, kBlock, kLongColumns), run_long_row<T>};
  if (holds_a(s)) return way_of_held_a(s);
  if (is_shallow(s))
    return s.layout == Layout::kTN ? way_of_shallow<T, ColumnsOfA>(s) : way_of_shallow<T, RowsOfA>(s);
  if (is_flat(s)) return {count_units(flat_turned(s), kBlock, flat_height(s)), run_flat<T>};
  if (is_narrow(s)) return {(s.m + kNarrowRows - 1) / kNarrowRows, run_narrow<T>};
  return s.layout == Layout::kTN ? way_of_panels<T, ColumnsOfA>(s) : way_of_panels<T, RowsOfA>(s);
}

template <typename T>
void run_lying(const Product<T>& s, Index begin, Index end) {
  const Product<T> row = lying(s);
  way_of_whole(row).run(row, begin, end);
}

/// Elements of a from which cutting a product in two pays for itself.
inline constexpr Index kCut = 4096;

/// The columns of c in whole vectors, if the rest is faster as a product of its own than as a vector most of
/// whose lanes are empty; else all of them.
template <typename T>
Index whole_columns(const Product<T>& s) {
  const Index rest = s.n % kLanes<T>, whole = s.n - rest;
  if (rest == 0 || whole < kLanes<T> || s.m * s.k < kCut || holds_b(s) || holds_a(s) || is_overlapping(s) ||
      has_dots(s) || is_long_row(s) || is_narrow(s))
    return s.n;
  const Product<T> last = columns_of(s, whole, rest);
  return has_dots(last) || is_narrow(last) ? whole : s.n;
}

/// The two products that c is cut into, one after the other.
template <typename T>
struct Cut {
  Product<T> first, last;
  Way<T> way_of_first, way_of_last;

  Cut(const Product<T>& s, Index whole)
      : first(columns_of(s, 0, whole)),
        last(columns_of(s, whole, s.n - whole)),
        way_of_first(way_of_whole(first)),
        way_of_last(way_of_whole(last)) {}
};

template <typename T>
void run_cut(const Product<T>& s, Index begin, Index end) {
  const Cut<T> cut(s, whole_columns(s));
  const Index units = cut.way_of_first.units;
  if (begin < units) cut.way_of_first.run(cut.first, begin, min(end, units));
  if (end > units) cut.way_of_last.run(cut.last, max(begin, units) - units, end - units);
}

template <typename T>
Way<T> way(const Product<T>& s) {
  const Index whole = whole_columns(s);
  if (whole == s.n) return way_of_whole(s);
  const Cut<T> cut(s, whole);
  return {cut.way_of_first.units + cut.way_of_last.units, run_cut<T>};
}

}  // namespace

extern const Both<GemmKernels> gemm;
constinit const Both<GemmKernels> gemm{{way<float>, 8}, {way<double>, 8}};

}  // namespace initcore::INITCORE_ISA
