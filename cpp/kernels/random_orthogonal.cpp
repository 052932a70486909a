// The loops of products of Householder reflections: a register tile of sums, and what prepares its operands.
#include "kernels/random_orthogonal.h"

#include "kernels/both.h"
#include "kernels/vector.h"

namespace initcore::INITCORE_ISA {
namespace {

constexpr Index kTile = kReflections;

// Sums in registers: enough of them to hide the latency of an addition, beside two vectors of b, an element
// of a, and a product.
constexpr int kVectors = 2, kRows = kRegisters == 32 ? 12 : 6;

/// Rows [0, kN) of c, kVectors vectors of them.
template <int kN, typename T>
INITCORE_INLINE void tile(Index depth, const T* a, Index lda, const T* b, T* c, Index ldc) {
  constexpr int kW = kLanes<T>;
  // Added to c at the end: then c is rounded once, not for each term.
  Vector<T> sum[kN][kVectors] = {};
  for (Index p = 0; p < depth; ++p) {
    Vector<T> row[kVectors];
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) row[j] = load(b + p * kTile + j * kW);
#pragma GCC unroll 12
    for (int i = 0; i < kN; ++i) {
      const T factor = a[i * lda + p];
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) sum[i][j] += factor * row[j];
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < kN; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) {
      T* to = c + i * ldc + j * kW;
      store<T>(to, load(to) + sum[i][j]);
    }
}

/// As many whole tiles of kN rows as there are; returns the first row that is left.
template <int kN, typename T>
Index tiles(Index i, Index rows, Index depth, const T* a, Index lda, const T* b, T* c, Index ldc) {
  constexpr Index kStep = kVectors * kLanes<T>;
  static_assert(kTile % kStep == 0);
  for (; rows - i >= kN; i += kN)
    for (Index j = 0; j < kTile; j += kStep) tile<kN>(depth, a + i * lda, lda, b + j, c + i * ldc + j, ldc);
  return i;
}

template <typename T>
void add_product(Index rows, Index depth, const T* a, Index lda, const T* b, T* c, Index ldc) {
  Index i = tiles<kRows>(0, rows, depth, a, lda, b, c, ldc);
  i = tiles<kRows / 3>(i, rows, depth, a, lda, b, c, ldc);
  tiles<1>(i, rows, depth, a, lda, b, c, ldc);
}

/// The sum of squares: sixteen partial sums, each in its order.
template <typename T>
double squares(const T* x, Index n) {
  constexpr int kSums = 16;
  double sums[kSums] = {};
  Index i = 0;
  for (; i + kSums <= n; i += kSums)
#pragma omp simd
    for (int j = 0; j < kSums; ++j) sums[j] += double(x[i + j]) * double(x[i + j]);
  for (int j = 0; i + j < n; ++j) sums[j] += double(x[i + j]) * double(x[i + j]);
  for (int half = kSums / 2; half > 0; half /= 2)
    for (int j = 0; j < half; ++j) sums[j] += sums[j + half];
  return sums[0];
}

template <typename T>
T reflection(T* x, Index n, double* tau) {
  const double first = x[0], square = squares(x, n), length = __builtin_sqrt(square);
  *tau = 0;
  if (square == 0) return 1;
  // x + sign(x_0) |x| e_0, of which nothing cancels, over its first element.
  const double scale = 1 / (first < 0 ? first - length : first + length);
#pragma omp simd
  for (Index i = 1; i < n; ++i) x[i] = static_cast<T>(x[i] * scale);
  x[0] = 1;
  *tau = 2 / (1 + squares(x + 1, n - 1));
  return first < 0 ? T(1) : T(-1);
}

template <typename T>
void triangle(const T* gram, const double* tau, T* to) {
  // Column by column: T_jj = tau_j, T_ij = -tau_j (sum of T_ik gram_kj over k from i to j - 1).
  double t[kTile][kTile] = {};
  for (Index j = 0; j < kTile; ++j) {
    for (Index i = 0; i < j; ++i) {
      double sum = 0;
      for (Index k = i; k < j; ++k) sum += t[i][k] * gram[k * kTile + j];
      t[i][j] = -tau[j] * sum;
    }
    t[j][j] = tau[j];
  }
  for (Index i = 0; i < kTile; ++i)
    for (Index j = 0; j < kTile; ++j) to[j * kTile + i] = static_cast<T>(-t[i][j]);
}

template <typename T>
void transpose(const T* from, T* to) {
  for (Index i = 0; i < kTile; ++i)
#pragma omp simd
    for (Index j = 0; j < kTile; ++j) to[j * kTile + i] = from[i * kTile + j];
}

template <typename T>
constexpr OrthogonalKernels<T> table() {
  return {reflection<T>, triangle<T>, transpose<T>, add_product<T>};
}

}  // namespace

extern const Both<OrthogonalKernels> random_orthogonal;
constinit const Both<OrthogonalKernels> random_orthogonal{table<float>(), table<double>()};

}  // namespace initcore::INITCORE_ISA
