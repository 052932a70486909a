// Smooth activations that follow the identity on the right, and the exponential.
#pragma once

#include "kernels/activations.h"
#include "kernels/normal_law.h"
#include "kernels/vmath.h"

namespace initcore::INITCORE_ISA {

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
  static V forward(V x) {
    const V b = at_least(x, FormatOf<V>::kExpLow);  // infinity times 0 would be NaN
    return b * logistic(at_most(b, 40));
  }
  static V slope(V x, V) {
    const V b = clamp(x, FormatOf<V>::kExpLow, 40), s = logistic(b);
    return s * (1 + b * (1 - s));
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
  static V forward(V x) {  // x P(z < x), without a select
    const NormalTail<V> normal(x);
    return at_least(x, 0) - normal.a * normal.tail;
  }
  static V slope(V x, V) {
    constexpr S kPeak = S(0.3989422804014327) / NormalTail<V>::kScale;  // 1 / sqrt(2 pi), the bell at 0
    const NormalTail<V> normal(x);
    const V left = normal.tail - normal.a * (normal.bell * kPeak);
    return x < 0 ? left : 1 - left;
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
  // Between these, the argument of sigmoid is between kExpLow and 40.
  static constexpr S kLow = kSingle<V> ? S(-10.68) : S(-21.5), kHigh = S(7.2);
  static V forward(V x) {
    const V left = at_least(x, kLow), b = at_most(left, kHigh);
    return left * logistic(b * (kTwice + S(0.044715) * kTwice * b * b));
  }
  static V slope(V x, V) {
    const V b = clamp(x, kLow, kHigh), square = S(0.044715) * b * b;
    const V s = logistic(kTwice * b * (1 + square));
    return s + s * (1 - s) * (kTwice * b * (1 + 3 * square));
  }
};

// With w = e^x: tanh(softplus(x)) = n / (n + 2), n = w (w + 2). From x = 20 on it is 1.
template <typename V>
struct Mish {
  using S = Scalar<V>;
  static constexpr const char* kName = "mish";
  static constexpr const char* kFormula = "x * tanh(maximum(x, 0) + log1p(exp(-abs(x))))";
  static constexpr const char* kSource = "Misra 2019, arXiv:1908.08681, equation 1";
  static constexpr bool kSlopeNeedsInput = true;
  static constexpr S kOne = S(0x1p64);  // in the scale of `scaled` and `n`: far left, w would be subnormal
  static V forward(V x) {
    const V b = at_least(x, FormatOf<V>::kExpLow);
    const V scaled = Reduced<V, 64>(at_most(b, 20)).shifted_exp();
    const V n = scaled * (scaled * (1 / kOne) + 2);
    return b * (n / (n + 2 * kOne));
  }
  static V slope(V x, V) {
    const V b = clamp(x, FormatOf<V>::kExpLow, 20);
    const V scaled = Reduced<V, 64>(b).shifted_exp(), w = scaled * (1 / kOne);
    const V n = scaled * (w + 2), d = 1 / (n + 2 * kOne);
    return d * (n + b * (scaled * (w + 1)) * (d * (4 * kOne)));
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
