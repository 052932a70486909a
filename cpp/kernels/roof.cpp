// Multiply-adds in registers, and memory read and written: the loops that other kernels are measured beside.
#include "kernels/roof.h"

#include "kernels/both.h"
#include "kernels/vector.h"

namespace initcore::INITCORE_ISA {
namespace {

// Two multiply-adds begin in each cycle and end 4 or 5 cycles later: 10 independent sums keep them busy. More
// of them pay for the loop's own instructions; factor, term and a copy need registers, too.
inline constexpr int kSums = kRegisters == 32 ? 24 : 12;

template <typename T>
void multiply_add(T* values, T factor, T term, Index rounds) {
  typedef typename VectorOf<T>::Unaligned Memory;
  Memory* const memory = reinterpret_cast<Memory*>(values);
  const Vector<T> scale = factor - Vector<T>{}, more = term - Vector<T>{};
  Vector<T> sum[kSums];
#pragma GCC unroll 24
  for (int i = 0; i < kSums; ++i) sum[i] = memory[i];
  for (Index round = 0; round < rounds; ++round) {
#pragma GCC unroll 24
    for (int i = 0; i < kSums; ++i) sum[i] = sum[i] * scale + more;
  }
#pragma GCC unroll 24
  for (int i = 0; i < kSums; ++i) memory[i] = sum[i];
}

template <typename T>
T sum(const T* x, Index n) {
  constexpr int kParts = 8;
  constexpr Index kStep = kParts * kLanes<T>;
  Vector<T> part[kParts] = {};
  Index i = 0;
  for (; i + kStep <= n; i += kStep) {
    const auto* from = reinterpret_cast<const typename VectorOf<T>::Unaligned*>(x + i);
#pragma GCC unroll 8
    for (int p = 0; p < kParts; ++p) part[p] += from[p];
  }
  for (int p = 1; p < kParts; ++p) part[0] += part[p];
  T total = 0;
  for (int lane = 0; lane < kLanes<T>; ++lane) total += part[0][lane];
  for (; i < n; ++i) total += x[i];
  return total;
}

template <typename T>
void triad(T* a, const T* b, const T* c, T factor, Index n) {
#pragma omp simd
  for (Index i = 0; i < n; ++i) a[i] = b[i] + factor * c[i];
}

template <typename T>
void update(T* first, T* second, T* third, const T* g, T factor, Index n) {
#pragma omp simd
  for (Index i = 0; i < n; ++i) {
    const T more = g[i];
    first[i] = first[i] * factor + more;
    second[i] = second[i] * factor + more;
    third[i] = third[i] * factor + more;
  }
}

template <typename T>
constexpr RoofKernels<T> table() {
  return {kSums * kLanes<T>, multiply_add<T>, sum<T>, triad<T>, update<T>};
}

}  // namespace

extern const Both<RoofKernels> roof;
constinit const Both<RoofKernels> roof{table<float>(), table<double>()};

}  // namespace initcore::INITCORE_ISA
