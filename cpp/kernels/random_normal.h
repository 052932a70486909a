// The normal distribution and its inverse from + - * / and sqrt alone, which round the same everywhere.
// Included by sources that are compiled without fused multiply-add. Coefficients: bench/fit_random_normal.py.
#pragma once

#include "kernels/isa.h"

namespace initcore::INITCORE_ISA {

using std::uint32_t;
using std::uint64_t;

/// c[0] + c[1] x + ... by Horner's rule, unrolled.
template <int kFrom = 0, typename T, int kTerms>
inline __attribute__((always_inline)) T polynomial(T x, const T (&c)[kTerms]) {
  if constexpr (kFrom == kTerms - 1) {
    return c[kFrom];
  } else {
    return c[kFrom] + x * polynomial<kFrom + 1>(x, c);
  }
}

// The inverse by parts, as Wichura 1988 (algorithm AS 241) has it, but with one tail. In the middle it is
// q P(r) / Q(r), q the distance from the median, r = kMiddle - q^2; in the tails P(t) / Q(t),
// t = sqrt(-log p) - kTailOrigin, p the tail's probability, down to p = 4e-39. Where they are used, r and t
// are positive (but for rounding), and so is every coefficient: nothing cancels.
inline constexpr double kMiddle = 0.180625;  // the middle: q^2 up to here, so |q| up to 0.425
inline constexpr double kTailOrigin = 1.6;

template <typename T>
struct Inverse;

template <>
struct Inverse<float> {  // the fits err by 5e-8 and 8e-9, relatively
  static constexpr float kMiddleP[] = {3.387132718f, 50.43452511f, 159.2929602f, 59.11041727f};
  static constexpr float kMiddleQ[] = {1.0f, 17.89524426f, 78.75851932f, 67.18860428f};
  static constexpr float kTailP[] = {1.423437129f, 3.130291184f, 1.994357019f, 0.4562885574f, 0.03048673723f};
  static constexpr float kTailQ[] = {1.0f, 0.9993720908f, 0.2885551105f, 0.02155244483f};
  // log(1 + f) / f for f in [sqrt(1/2) - 1, sqrt(2) - 1], to 2e-7.
  static constexpr float kLog[] = {0.9999999456f, -0.5000036531f, 0.3333505353f, -0.2496989351f,
                                   0.1990032236f, -0.172511991f,  0.1622144191f, -0.1010424787f};

  /// -log(p) for positive normal p, to about 1e-7 of itself where p < 0.08.
  static inline __attribute__((always_inline)) float minus_log(float p) {
    const uint32_t bits = __builtin_bit_cast(uint32_t, p);
    const uint32_t exponent = (bits - 0x3f3504f3u) & 0xff800000u;  // sqrt(1/2) and up count as 2^0
    const float f = __builtin_bit_cast(float, bits - exponent) - 1.0f;
    const float e = static_cast<float>(static_cast<std::int32_t>(exponent) >> 23);
    return -(e * 0.693147181f + f * polynomial(f, kLog));
  }
};

template <>
struct Inverse<double> {  // the fits err by 8e-17 and 6e-17, relatively
  static constexpr double kMiddleP[] = {3.387132872796366619, 133.1435933642995072, 1971.653035863103618,
                                        13732.40122838008476, 45925.39358042322299, 67272.61469958252082,
                                        33434.97985875892872, 2509.492912729197879};
  static constexpr double kMiddleQ[] = {1.0,
                                        42.31389916838017682,
                                        687.2070457070477689,
                                        5394.452569946199716,
                                        21215.25720554576466,
                                        39311.57099009844706,
                                        28732.5611344755458,
                                        5227.283020918233858};
  static constexpr double kTailP[] = {
      1.423437110749683907,   4.651307975970269816,   5.860554868213032982,
      3.801484874403004668,   1.398662887556155935,   0.2978558334258114252,
      0.03523311176377570652, 0.00203650597128075906, 0.00004125087546531347649};
  static constexpr double kTailQ[] = {1.0,
                                      2.06792366478358997,
                                      1.722680537538410154,
                                      0.7434319018305831197,
                                      0.1772122593157516189,
                                      0.02276992596644266901,
                                      0.001393555299776460111,
                                      0.00002916731360330912,
                                      8.832430116532225596e-12};
  // 2 atanh(g) / g in g^2, for |g| <= 0.1716, to 2e-16.
  static constexpr double kLog[] = {2.000000000000000349,  0.6666666666655088253, 0.4000000006262741743,
                                    0.2857141588105463134, 0.2222344449339628245, 0.1812161074496571865,
                                    0.1684159033796070457};

  /// -log(p) for positive normal p, to about 2e-16 of itself where p < 0.08.
  static inline __attribute__((always_inline)) double minus_log(double p) {
    const uint64_t bits = __builtin_bit_cast(uint64_t, p);
    const uint64_t exponent = (bits - 0x3fe6a09e667f3bcdu) & 0xfff0000000000000u;
    const double f = __builtin_bit_cast(double, bits - exponent) - 1.0;
    const double g = f / (2.0 + f);
    const double e = static_cast<double>(static_cast<std::int32_t>(exponent >> 32) >> 20);
    return -(e * 0.6931471805599453094 + g * polynomial(g * g, kLog));
  }
};

static inline float square_root(float x) { return __builtin_sqrtf(x); }
static inline double square_root(double x) { return __builtin_sqrt(x); }

/// z with Phi(z) = 1/2 + q, where p = 1/2 - |q| is given beside q: both keep their relative precision.
template <typename T>
inline __attribute__((always_inline)) T normal_quantile(T q, T p) {
  using I = Inverse<T>;
  const T r = T(kMiddle) - q * q, t = square_root(I::minus_log(p)) - T(kTailOrigin);
  const T tail = q < 0 ? -polynomial(t, I::kTailP) : polynomial(t, I::kTailP);
  const bool middle = r >= 0;
  const T above = middle ? q * polynomial(r, I::kMiddleP) : tail;
  const T below = middle ? polynomial(r, I::kMiddleQ) : polynomial(t, I::kTailQ);
  return above / below;
}

/// exp(-y) for y in [0, 200].
static inline double exp_minus(double y) {
  const int k = static_cast<int>(y * 1.4426950408889634 + 0.5);
  // ln 2 in two parts, the first with so few bits that k times it is exact.
  const double r = (k * 0.693147180369123816490 - y) + k * 1.90821492927058770002e-10;
  double term = 1, sum = 1;
  for (int i = 1; i < 20; ++i) {
    term = term * r / i;
    sum += term;
  }
  return sum * __builtin_bit_cast(double, uint64_t(1023 - k) << 52);
}

/// Phi(-x) for x in [0, 14], to a few units in the last place.
static inline double lower_tail(double x) {
  const double density = 0.39894228040143267794 * exp_minus(0.5 * x * x);
  if (x < 3) {  // 1/2 minus the series of Marsaglia 2004, doi:10.18637/jss.v011.i05, all of one sign
    double term = x, sum = x;
    for (int i = 3; i < 200; i += 2) {
      term = term * (x * x) / i;
      sum += term;
    }
    return 0.5 - density * sum;
  }
  double fraction = x;  // Laplace's continued fraction, from far inside
  for (int i = 200; i > 0; --i) fraction = x + i / fraction;
  return density / fraction;
}

static inline double normal_distribution(double x) { return x < 0 ? lower_tail(-x) : 1 - lower_tail(x); }

}  // namespace initcore::INITCORE_ISA
