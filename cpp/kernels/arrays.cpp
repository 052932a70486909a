// Gathering a batch, sums of columns, elementwise sums and products.
#include "kernels/arrays.h"

#include "kernels/both.h"
#include "kernels/vector.h"

namespace initcore::INITCORE_ISA {
namespace {

/// to[j] = from[j] * scale; scale is 1 where they are of one type.
template <typename From, typename T>
INITCORE_INLINE void convert(const From* from, Index n, T scale, T* to) {
  if constexpr (std::is_same_v<From, T>) {
    Index j = 0;
    for (; j + kLanes<T> <= n; j += kLanes<T>) store<T>(to + j, load(from + j));
    copy_first(to + j, from + j, n - j);  // what is stored under a mask cannot be read again at once
  } else {
#pragma omp simd
    for (Index j = 0; j < n; ++j) to[j] = static_cast<T>(from[j]) * scale;
  }
}

template <typename From, typename T>
void gather(const From* source, const Examples& examples, Index columns, T scale, T* out) {
  // Rows in any order lie anywhere in memory: the processor cannot guess the next ones, and would wait for
  // each. So much is fetched ahead of it, small batches wholly while the one before is computed with.
  constexpr Index kAhead = 8192 / sizeof(From), kLine = 64 / sizeof(From);
  const auto [order, first, n, total] = examples;
  const Index ahead = max<Index>(3, kAhead / max<Index>(1, columns));
  const Index known = order ? total : 0;
  for (Index i = first; i < first + n; ++i, out += columns) {
    if (i + ahead < known) {
      const From* next = source + order[i + ahead] * columns;
      for (Index j = 0; j < columns; j += kLine) __builtin_prefetch(next + j);
    }
    const From* row = source + (order ? order[i] : i) * columns;
    convert(row, columns, scale, out);
  }
}

template <typename From, typename T>
void gather_floats(const From* source, const Examples& examples, Index columns, T* out) {
  gather<From, T>(source, examples, columns, T(1), out);
}

/// The sums of kStrip columns: they stay in registers while the rows pass. Each has a sum of every kChains-th
/// row, so that one addition need not wait for the one before it.
template <Index kStrip, typename T>
inline void sum_strip(const T* x, Index n, Index columns, T* out) {
  constexpr Index kChains = 4;  // whatever the strip: equal columns have equal sums
  T sum[kChains][kStrip] = {};
  Index i = 0;
  for (; i + kChains <= n; i += kChains) {
#pragma GCC unroll 4
    for (Index chain = 0; chain < kChains; ++chain)
#pragma omp simd
      for (Index s = 0; s < kStrip; ++s) sum[chain][s] += x[(i + chain) * columns + s];
  }
  for (; i < n; ++i) {
#pragma omp simd
    for (Index s = 0; s < kStrip; ++s) sum[0][s] += x[i * columns + s];
  }
  for (Index chain = 1; chain < kChains; ++chain)
#pragma omp simd
    for (Index s = 0; s < kStrip; ++s) sum[0][s] += sum[chain][s];
#pragma omp simd
  for (Index s = 0; s < kStrip; ++s) out[s] = sum[0][s];
}

template <typename T>
void column_sum(const T* x, Index n, Index columns, Index begin, Index end, T* out) {
  constexpr Index kLong = kRegisters / 8 * kLanes<T>, kShort = kLanes<T>;
  Index j = begin;
  for (; j + kLong <= end; j += kLong) sum_strip<kLong>(x + j, n, columns, out + j);
  for (; j + kShort <= end; j += kShort) sum_strip<kShort>(x + j, n, columns, out + j);
  for (; j < end; ++j) sum_strip<1>(x + j, n, columns, out + j);
}

template <typename T>
void add(const T* a, const T* b, T* y, Index n) {
#pragma omp simd
  for (Index i = 0; i < n; ++i) y[i] = a[i] + b[i];
}

template <typename T>
void multiply(const T* a, const T* b, T* y, Index n) {
#pragma omp simd
  for (Index i = 0; i < n; ++i) y[i] = a[i] * b[i];
}

template <typename T>
constexpr ArrayKernels<T> table() {
  return {gather_floats<float, T>,
          gather_floats<double, T>,
          gather<std::uint8_t, T>,
          column_sum<T>,
          add<T>,
          multiply<T>};
}

}  // namespace

extern const Both<ArrayKernels> arrays;
constinit const Both<ArrayKernels> arrays{table<float>(), table<double>()};

}  // namespace initcore::INITCORE_ISA
