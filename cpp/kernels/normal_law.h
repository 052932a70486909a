// The standard normal law: its distribution function, its tails, the error function. As vmath.h in all else.
#pragma once

#include "kernels/vmath.h"

namespace initcore::INITCORE_ISA {

/// a^2 = high + low, exactly.
template <typename V>
struct Square {
  V high, low;

  INITCORE_INLINE explicit Square(V a) {
    if constexpr (kFused && !Lane<V>::kAlone) {
      high = held(a * a);
      low = held(a) * a - high;  // one operation: held(a) is not seen to be a
    } else {
      constexpr auto kFraction = FormatOf<V>::kFraction;
      constexpr typename FormatOf<V>::Bits kHalf = (typename FormatOf<V>::Bits(1) << (kFraction / 2 + 1)) - 1;
      const V rough = from_bits<V>(to_bits(a) & ~kHalf);  // its square has no more bits than there are
      high = rough * rough;
      low = (a - rough) * (a + rough);
    }
  }
};

/// The standard normal law at a = |x|: how likely z > a is, and kScale e^(-a^2 / 2).
template <typename V>
struct NormalTail {
  using S = Scalar<V>;
  using F = Format<S>;
  static constexpr int kShift = 100;
  static constexpr S kScale = S(0x1p100);  // far out, the bell alone would be subnormal

  V a, tail, bell;

  INITCORE_INLINE explicit NormalTail(V x) : a(at_most(abs(x), F::kFarTail)) {
    // Where a^2 is large, its rounding error would be large beside 1.
    const Square<V> square(a);
    const Exponent<V, kShift> k(square.high * S(-0.5 * 1.4426950408889634));
    const V r = (square.high + k.value * (2 * F::kLn2High)) + (square.low + k.value * (2 * F::kLn2Low));
    bell = (1 + r * (S(-0.5) + r * exp_tail(r, S(-0.5), S(0.25)))) * k.power();
    tail = bell / inverse_mills();
  }

 private:
  /// bell / tail: one over the Mills ratio, times sqrt(2 pi) kScale.
  INITCORE_INLINE V inverse_mills() const {
    if constexpr (kSingle<V> && kFused) {
      // Nearly proportional to a far out; what is to add shrinks, and its rounding errors with it. Both
      // polynomials times kOff, since a number just above a power of 2 has the coarsest rounding: at 0.
      constexpr S kOff = 1.625f, kUp = kOff * kScale;
      const V p =
          polynomial(a, kUp * 1.99817142f, kUp * 0.841561485f, kUp * 0.207306972f, kUp * 0.0202381537f);
      const V q = polynomial(a, kOff, kOff * 0.876997416f, kOff * 0.36677155f, kOff * 0.0813678123f,
                             kOff * 0.0082475935f);
      return kScale * 0.00182856338f + kScale * 2.50659966f * a + p / q;
    } else {
      // Times 1 + 0.8 a it is between 0.32 and 0.51, smooth in q, flat at 0.
      const V q = (a - 4) / (a + 4);
      V p;
      if constexpr (kSingle<V>) {
        p = polynomial(q, 0.396524695f, -0.111442313f, 0.0360754517f, 0.00853835353f, -0.0195842751f,
                       0.012654723f, -0.00390319591f, -0.000116738562f, 0.000518224433f, -5.80155967e-5f,
                       -5.48918726e-5f);
      } else {
        p = polynomial(
            q, 0.39652469346826953, -0.11144232617091174, 0.036075558847392908, 0.0085388097752941054,
            -0.019585309121198657, 0.012650458887292313, -0.0039003904579689255, -0.0001007357077272939,
            0.00051848083137785041, -8.4655184064701404e-5, -6.4552889156990356e-5, 1.7926358887098444e-5,
            1.0040833598277463e-5, -2.9116533771367932e-6, -1.958168984303367e-6, 3.6477363524330193e-7,
            4.2303831569518835e-7, -9.2942219705335683e-9, -8.724664493638834e-8, -1.3714947352537522e-8,
            1.4356615209256029e-8, 4.7306112005225574e-9, -1.3306512892483098e-9, -6.3950539805499165e-10);
      }
      return (kScale + S(0.8) * kScale * a) / p;
    }
  }
};

/// The standard normal distribution function, accurate in its tails. Largest error: 3.9 ulp (double: 5.4).
template <typename V>
INITCORE_INLINE V normal_cdf(V x) {
  const V tail = NormalTail<V>(x).tail;
  return x < 0 ? tail : 1 - tail;
}

/// The error function. Largest error: 1.5 ulp. x P(x^2) near 0, else 1 - 2 P(z > |x| sqrt(2)).
template <typename V>
INITCORE_INLINE V erf(V x) {
  const V a = abs(x), z = a * a;
  V p;
  if constexpr (kSingle<V>) {
    p = polynomial(z, 0.12837917f, -0.376126267f, 0.112835947f, -0.026854212f, 0.00518908742f,
                   -0.000801686429f, 7.87587506e-5f);
  } else {
    p = polynomial(z, 0.12837916709551257, -0.37612638903183748, 0.11283791670954879, -0.026866170645076793,
                   0.0052239776248180145, -0.00085483269808337899, 0.00012055331111642711,
                   -1.4925595266831182e-5, 1.6461000484121368e-6, -1.6350312701054695e-7,
                   1.4659775274047436e-8, -1.1372848856791674e-9, 5.9571761477489114e-11);
  }
  const V far = 1 - 2 * NormalTail<V>(a * Scalar<V>(1.4142135623730951)).tail;
  return with_sign<V>(a > 1 ? far : a + a * p, x);
}

}  // namespace initcore::INITCORE_ISA
