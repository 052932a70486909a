// The normal distribution and its inverse from + - * / and sqrt alone, which round the same everywhere.
// Included by sources that are compiled without fused multiply-add. Coefficients: bench/fit_random_normal.py.
#pragma once

#include "kernels/random_arithmetic.h"

namespace initcore::INITCORE_ISA {

// The inverse by parts, as Wichura 1988 (algorithm AS 241) has it, but with one tail. In the middle it is
// q (sqrt(2 pi) + q^2 P(r) / Q(r)), q the distance from the median, r = kMiddle - q^2; in the tails P(t) /
// Q(t), t = sqrt(-log p) - kTailOrigin, p the tail's probability, down to p = 4e-39. Where they are used, r
// and t are positive (but for rounding), and so is every coefficient: nothing cancels.
inline constexpr double kMiddle = 0.228;     // the middle: q^2 up to here, so |q| up to 0.4775
inline constexpr double kMiddleBound = 2.0;  // what lies nearer to 0 than this is in the middle
inline constexpr double kTailOrigin = 1.94;
inline constexpr double kRootTwoPi = 2.5066282746310005024;

template <typename T>
struct Inverse;

template <>
struct Inverse<float> {  // the fits err by 1e-7 and 3e-9, relatively
  static constexpr float kMiddleP[] = {7.418430425f, 380.6299396f, 4789.12097f, 13017.56422f, 1419.145264f};
  static constexpr float kMiddleQ[] = {1.0f, 65.7125691f, 1241.851631f, 7183.554544f, 9358.180078f};
  static constexpr float kTailP[] = {1.991735028f, 3.324007323f, 1.72277523f, 0.333211078f, 0.01943937785f};
  static constexpr float kTailQ[] = {1.0f, 0.8455129722f, 0.2091837582f, 0.01374302391f};
  // log(1 + f) / f for f in [sqrt(1/2) - 1, sqrt(2) - 1], to 2e-7.
  static constexpr float kLog[] = {0.9999999456f, -0.5000036531f, 0.3333505353f, -0.2496989351f,
                                   0.1990032236f, -0.172511991f,  0.1622144191f, -0.1010424787f};

  using Bits = uint32_t;
  static constexpr Bits kRootHalf = 0x3f3504f3, kExponent = 0xff800000;
  INITCORE_INLINE static float exponent(Bits bits) {
    return static_cast<float>(static_cast<std::int32_t>(bits) >> 23);
  }
  INITCORE_INLINE static float series(float f) { return f * horner(f, kLog); }
};

template <>
struct Inverse<double> {  // the fits err by 6e-17 and 1e-16, relatively
  static constexpr double kMiddleP[] = {7.418431149621158751, 1056.116796857999915, 59540.62624735137725,
                                        1705106.940707722222, 26561223.22113916729, 225088886.9500379678,
                                        990256039.804928209,  2045907191.453779189, 1632988379.392357064,
                                        317566162.6387596529};
  static constexpr double kMiddleQ[] = {1.0,
                                        156.7680464874358661,
                                        9933.785378130971938,
                                        328592.9857602057957,
                                        6135641.596682675163,
                                        65634020.17676905515,
                                        392907812.3999345513,
                                        1241226120.99442193,
                                        1859394645.894837491,
                                        1081163550.076487085,
                                        152634878.3653206432};
  static constexpr double kTailP[] = {
      1.991735019608918819,   5.434299325045270163,    6.043415062079598363,
      3.592362830064334484,   1.231700769920819713,    0.2421912904653367126,
      0.02549511553803778144, 0.001232093255453616032, 0.00001910182251934599482};
  static constexpr double kTailQ[] = {1.0,
                                      1.905037266087648177,
                                      1.506070493283331209,
                                      0.6250495763211108111,
                                      0.1413091554666984282,
                                      0.01643040470236943058,
                                      0.0008450782532921461315,
                                      0.00001350681088201584454};
  // 2 atanh(g) / g in g^2, for |g| <= 0.1716, to 2e-16.
  static constexpr double kLog[] = {2.000000000000000349,  0.6666666666655088253, 0.4000000006262741743,
                                    0.2857141588105463134, 0.2222344449339628245, 0.1812161074496571865,
                                    0.1684159033796070457};

  using Bits = uint64_t;
  static constexpr Bits kRootHalf = 0x3fe6a09e667f3bcd, kExponent = 0xfff0000000000000;
  INITCORE_INLINE static double exponent(Bits bits) {
    return static_cast<double>(static_cast<std::int32_t>(bits >> 32) >> 20);
  }
  INITCORE_INLINE static double series(double f) {
    const double g = f / (2.0 + f);
    return g * horner(g * g, kLog);
  }
};

/// A positive normal number as 2^e (1 + f), 1 + f from sqrt(1/2) to sqrt(2).
template <typename T>
struct Split {
  T e, f;
  INITCORE_INLINE explicit Split(T x) {
    using I = Inverse<T>;
    const auto bits = __builtin_bit_cast(typename I::Bits, x);
    const auto exponent = (bits - I::kRootHalf) & I::kExponent;
    e = I::exponent(exponent);
    f = __builtin_bit_cast(T, bits - exponent) - T(1);
  }
};

/// -log(2^e (1 + f)), to about 1e-7 (2e-16) of itself.
template <typename T>
INITCORE_INLINE T minus_log(T e, T f) {
  return -(e * T(0.6931471805599453094L) + Inverse<T>::series(f));
}

/// z with Phi(z) = 1/2 + q, where p = 1/2 - |q| is given too: both keep their relative precision. What needs
/// no more than T has is computed in T: so float's results are as close to each other as floats are.
template <typename T>
INITCORE_INLINE double normal_quantile(double q, T p) {
  using I = Inverse<T>;
  const Split<T> split(p);
  const T t = square_root(minus_log(split.e, split.f)) - T(kTailOrigin);
  const T r = static_cast<T>(kMiddle - q * q);
  const bool middle = r >= 0;
  const T above = middle ? (T(kMiddle) - r) * horner(r, I::kMiddleP) : horner(t, I::kTailP);
  const T below = middle ? horner(r, I::kMiddleQ) : horner(t, I::kTailQ);
  const double ratio = static_cast<double>(above / below);
  return middle ? q * (kRootTwoPi + ratio) : q < 0 ? -ratio : ratio;
}

/// The same where |z| is at most kMiddleBound.
template <typename T>
INITCORE_INLINE double normal_quantile(double q) {
  using I = Inverse<T>;
  const T r = static_cast<T>(kMiddle - q * q);
  const T ratio = (T(kMiddle) - r) * horner(r, I::kMiddleP) / horner(r, I::kMiddleQ);
  return q * (kRootTwoPi + static_cast<double>(ratio));
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
