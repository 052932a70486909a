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
void reflection(T* x, Index n, double* tau, T* sign) {
  const double first = x[0], square = squares(x, n), length = __builtin_sqrt(square);
  *tau = 0;
  *sign = first < 0 ? T(1) : T(-1);
  if (square == 0) return;
  // x + sign(x_0) |x| e_0, of which nothing cancels, over its first element.
  const double scale = 1 / (first < 0 ? first - length : first + length);
#pragma omp simd
  for (Index i = 1; i < n; ++i) x[i] = static_cast<T>(x[i] * scale);
  x[0] = 1;
  *tau = 2 / (1 + squares(x + 1, n - 1));
}

template <typename T>
void complex_reflection(T* x, Index n, double* tau, T* sign) {
  // The parts lie apart: of neighbours GCC 12 would make fused operations, which -ffp-contract=off forbids.
  T *real = x, *imaginary = x + n;
  const double a = real[0], b = imaginary[0], size = __builtin_sqrt(a * a + b * b);
  const double length = __builtin_sqrt(squares(x, 2 * n));
  *tau = 0;
  sign[0] = -1;
  sign[1] = 0;
  if (size == 0) return;
  const double cosine = a / size, sine = b / size, scale = 1 / (size + length);
  const double re = cosine * scale, im = -sine * scale;
#pragma omp simd
  for (Index i = 1; i < n; ++i) {
    const double u = real[i], v = imaginary[i];
    real[i] = static_cast<T>(u * re - v * im);
    imaginary[i] = static_cast<T>(u * im + v * re);
  }
  real[0] = 1;
  imaginary[0] = 0;
  sign[0] = static_cast<T>(-cosine);
  sign[1] = static_cast<T>(sine);
  *tau = 2 / (1 + squares(real + 1, n - 1) + squares(imaginary + 1, n - 1));
}

template <bool kComplex, typename T>
void invert(const T* const gram[2], const double* tau, T* const to[2]) {
  // Column by column: T_jj = tau_j, T_ij = -tau_j (sum of T_ik gram_kj over k from i to j - 1).
  double re[kTile][kTile] = {}, im[kComplex ? kTile : 1][kTile] = {};
  for (Index j = 0; j < kTile; ++j) {
    for (Index i = 0; i < j; ++i) {
      double sum = 0, other = 0;
      for (Index k = i; k < j; ++k) {
        const double g = gram[0][k * kTile + j];
        sum += re[i][k] * g;
        if constexpr (kComplex) {
          const double h = gram[1][k * kTile + j];
          sum -= im[i][k] * h;
          other += re[i][k] * h + im[i][k] * g;
        }
      }
      re[i][j] = -tau[j] * sum;
      if constexpr (kComplex) im[i][j] = -tau[j] * other;
    }
    re[j][j] = tau[j];
  }
  for (Index i = 0; i < kTile; ++i)
    for (Index j = 0; j < kTile; ++j) {
      to[0][j * kTile + i] = static_cast<T>(-re[i][j]);
      if constexpr (kComplex) to[1][j * kTile + i] = static_cast<T>(im[i][j]);
    }
}

template <typename T>
void triangle(const T* const gram[2], const double* tau, T* const to[2]) {
  (gram[1] ? invert<true, T> : invert<false, T>)(gram, tau, to);
}

template <typename T>
void transpose(const T* from, T* to) {
  for (Index i = 0; i < kTile; ++i)
#pragma omp simd
    for (Index j = 0; j < kTile; ++j) to[j * kTile + i] = from[i * kTile + j];
}

template <typename T>
constexpr OrthogonalKernels<T> table() {
  return {reflection<T>, complex_reflection<T>, triangle<T>, transpose<T>, add_product<T>};
}

}  // namespace

extern const Both<OrthogonalKernels> random_orthogonal;
constinit const Both<OrthogonalKernels> random_orthogonal{table<float>(), table<double>()};

}  // namespace initcore::INITCORE_ISA
