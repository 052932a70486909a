// Smooth activations that follow the identity on the right, and the exponential.
#pragma once

#include "kernels/activations.h"
#include "kernels/vmath.h"

namespace initcore::INITCORE_ISA {

/// x, cut off where x f(x) has long reached its limit: there infinity times 0 would be NaN.
template <typename V>
INITCORE_INLINE V bounded(V x) {
  return clamp(x, -1000, 1000);
}

template <typename V>
INITCORE_INLINE V bounded_below(V x) {
  return at_least(x, -1000);
}

template <typename V>
struct Softplus {
  static constexpr const char* kName = "softplus";
  static constexpr const char* kFormula = "maximum(x, 0) + log1p(exp(-abs(x)))";
  static constexpr const char* kSource = "Dugas et al. 2001, NIPS 13, section 3";
  static constexpr bool kSlopeNeedsInput = false;
  static V forward(V x) { return softplus(x); }
  static V slope(V, V y) { return -expm1_below(-y); }
};

template <typename V>
struct Silu {
  static constexpr const char* kName = "silu";
  static constexpr const char* kFormula = "x / (1 + exp(-x))";
  static constexpr const char* kSource = "Elfwing et al. 2017, arXiv:1702.03118, equation 5";
  static constexpr bool kSlopeNeedsInput = true;
  static V forward(V x) { return bounded_below(x) * sigmoid(x); }
  static V slope(V x, V) {
    const V s = sigmoid(x);
    return s * (1 + bounded(x) * (1 - s));
  }
};

template <typename V>
struct HardSwish {
  using S = Scalar<V>;
  static constexpr const char* kName = "hard_swish";
  static constexpr const char* kFormula = "x * clip(x / 6 + 1 / 2, 0, 1)";
  static constexpr const char* kSource = "Howard et al. 2019, arXiv:1905.02244, section 5.2";
  static constexpr bool kSlopeNeedsInput = true;
  static V forward(V x) {
    const V inside = x * (x * S(1.0 / 6) + S(0.5));
    const V left = x <= -3 ? S(0) : inside;
    return x >= 3 ? x : left;
  }
  static V slope(V x, V) {
    const V inside = x * S(1.0 / 3) + S(0.5);
    const V left = x <= -3 ? S(0) : inside;
    return x >= 3 ? S(1) : left;
  }
};

template <typename V>
struct Gelu {
  using S = Scalar<V>;
  static constexpr const char* kName = "gelu";
  static constexpr const char* kFormula = "x * (1 + erf(x / 2 ** 0.5)) / 2";
  static constexpr const char* kSource = "Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2";
  static constexpr bool kSlopeNeedsInput = true;
  static V forward(V x) { return bounded_below(x) * normal_cdf(x); }
  static V slope(V x, V) {
    constexpr S kPeak = S(0.3989422804014327) / NormalTail<V>::kScale;  // 1 / sqrt(2 pi), the bell at 0
    const NormalTail<V> normal(x);
    return (x < 0 ? normal.tail : 1 - normal.tail) + bounded(x) * (normal.bell * kPeak);
  }
};

template <typename V>
struct GeluTanh {
  using S = Scalar<V>;
  static constexpr const char* kName = "gelu_tanh";
  static constexpr const char* kFormula =
      "x * (1 + tanh((2 / 3.141592653589793) ** 0.5 * (x + 0.044715 * x**3))) / 2";
  static constexpr const char* kSource = "Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2";
  static constexpr bool kSlopeNeedsInput = true;
  static constexpr S kTwice = S(1.5957691216057308);  // 2 sqrt(2 / pi): (1 + tanh u) / 2 = sigmoid(2 u)
  static V forward(V x) {
    const V b = bounded(x);
    return bounded_below(x) * sigmoid(kTwice * b * (1 + S(0.044715) * b * b));
  }
  static V slope(V x, V) {
    const V b = bounded(x), square = S(0.044715) * b * b;
    const V s = sigmoid(kTwice * b * (1 + square));
    return s + s * (1 - s) * (kTwice * b * (1 + 3 * square));
  }
};

// With w = e^x: tanh(softplus(x)) = (w^2 + 2 w) / (w^2 + 2 w + 2); for x > 0 in powers of e^-x instead.
template <typename V>
struct Mish {
  using S = Scalar<V>;
  static constexpr const char* kName = "mish";
  static constexpr const char* kFormula = "x * tanh(maximum(x, 0) + log1p(exp(-abs(x))))";
  static constexpr const char* kSource = "Misra 2019, arXiv:1908.08681, equation 1";
  static constexpr bool kSlopeNeedsInput = true;
  static V forward(V x) {
    const V e = exp(-abs(x));
    const V n = x < 0 ? e * (e + 2) : 1 + 2 * e;
    return bounded_below(x) * (n / (n + (x < 0 ? S(2) : 2 * e * e)));
  }
  static V slope(V x, V) {
    const V e = exp(-abs(x));
    const V n = x < 0 ? e * (e + 2) : 1 + 2 * e;
    const V d = 1 / (n + (x < 0 ? S(2) : 2 * e * e));
    return n * d + bounded(x) * (4 * e * (1 + e) * d * d) * (x < 0 ? S(1) : e);
  }
};

template <typename V>
struct Exponential {
  static constexpr const char* kName = "exponential";
  static constexpr const char* kFormula = "exp(x)";
  static constexpr const char* kSource = "";
  static constexpr bool kSlopeNeedsInput = false;
  static V forward(V x) { return exp(x); }
  static V slope(V, V y) { return y; }
};

}  // namespace initcore::INITCORE_ISA
