// Activations with a kink or a bend at 0: the identity on the right, something smaller on the left.
// Comparisons are written so that a NaN reaches the result.
#pragma once

#include "kernels/activations.h"
#include "kernels/vmath.h"

namespace initcore::INITCORE_ISA {

template <typename V>
struct Identity {
  static constexpr const char* kName = "identity";
  static constexpr const char* kFormula = "x";
  static constexpr const char* kSource = "";
  static constexpr bool kSlopeNeedsInput = false;
  static V forward(V x) { return x; }
  static V slope(V, V) { return V{} + 1; }
};

template <typename V>
struct Relu {
  using S = Scalar<V>;
  static constexpr const char* kName = "relu";
  static constexpr const char* kFormula = "maximum(x, 0)";
  static constexpr const char* kSource = "Nair & Hinton 2010, ICML, section 3";
  static constexpr bool kSlopeNeedsInput = false;
  static V forward(V x) { return at_least(x, 0); }
  static V slope(V, V y) { return y > 0 ? S(1) : S(0); }
};

template <typename V>
struct LeakyRelu {
  using S = Scalar<V>;
  static constexpr const char* kName = "leaky_relu";
  static constexpr const char* kFormula = "where(x > 0, x, negative_slope * x)";
  static constexpr const char* kSource = "Maas et al. 2013, ICML workshop, equation 2";
  static constexpr Parameter kParameters[] = {{"negative_slope", 0.01, 0}};
  static constexpr bool kSlopeNeedsInput = false;  // negative_slope >= 0: y > 0 just where x > 0
  S negative_slope;
  V forward(V x) const { return x > 0 ? x : negative_slope * x; }
  V slope(V, V y) const { return y > 0 ? S(1) : negative_slope; }
};

template <typename V>
struct Relu6 {
  using S = Scalar<V>;
  static constexpr const char* kName = "relu6";
  static constexpr const char* kFormula = "minimum(maximum(x, 0), 6)";
  static constexpr const char* kSource = "Krizhevsky 2010, Convolutional deep belief networks on CIFAR-10";
  static constexpr bool kSlopeNeedsInput = false;
  static V forward(V x) { return clamp(x, 0, 6); }
  static V slope(V, V y) { return ((y > 0) & (y < 6)) ? S(1) : S(0); }
};

template <typename V>
struct Elu {
  using S = Scalar<V>;
  static constexpr const char* kName = "elu";
  static constexpr const char* kFormula = "where(x > 0, x, alpha * expm1(minimum(x, 0)))";
  static constexpr const char* kSource = "Clevert et al. 2016, arXiv:1511.07289, equation 15";
  static constexpr Parameter kParameters[] = {{"alpha", 1.0, 0}};
  static constexpr bool kSlopeNeedsInput = false;
  S alpha;
  V forward(V x) const { return x > 0 ? x : alpha * expm1_below(x); }
  V slope(V, V y) const { return y > 0 ? S(1) : y + alpha; }
};

template <typename V>
struct Celu {
  using S = Scalar<V>;
  static constexpr const char* kName = "celu";
  static constexpr const char* kFormula = "where(x > 0, x, alpha * expm1(minimum(x, 0) / alpha))";
  static constexpr const char* kSource = "Barron 2017, arXiv:1704.07483, equation 2";
  static constexpr Parameter kParameters[] = {{"alpha", 1.0, 0, true}};
  static constexpr bool kSlopeNeedsInput = false;
  S alpha;
  V forward(V x) const { return x > 0 ? x : alpha * expm1_below(x / alpha); }
  V slope(V, V y) const { return y > 0 ? S(1) : y / alpha + 1; }
};

template <typename V>
struct Selu {
  using S = Scalar<V>;
  static constexpr const char* kName = "selu";
  static constexpr const char* kFormula =
      "1.0507009873554805 * where(x > 0, x, 1.6732632423543772 * expm1(minimum(x, 0)))";
  static constexpr const char* kSource = "Klambauer et al. 2017, arXiv:1706.02515, equations 2 and 14";
  static constexpr bool kSlopeNeedsInput = false;
  static constexpr S kScale = S(1.0507009873554805);
  static constexpr S kScaleAlpha = S(1.7580993408473766);  // 1.0507009873554805 * 1.6732632423543772
  static V forward(V x) { return x > 0 ? kScale * x : kScaleAlpha * expm1_below(x); }
  static V slope(V, V y) { return y > 0 ? kScale : y + kScaleAlpha; }
};

}  // namespace initcore::INITCORE_ISA
