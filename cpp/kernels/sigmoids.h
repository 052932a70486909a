// Activations that saturate on both sides.
#pragma once

#include "kernels/activations.h"
#include "kernels/vmath.h"

namespace initcore::INITCORE_ISA {

template <typename V>
struct Sigmoid {
  static constexpr const char* kName = "sigmoid";
  static constexpr const char* kFormula = "1 / (1 + exp(-x))";
  static constexpr const char* kSource = "Rumelhart, Hinton & Williams 1986, Nature 323, equation 2";
  static constexpr bool kSlopeNeedsInput = false;
  static V forward(V x) { return sigmoid(x); }
  static V slope(V, V y) { return y * (1 - y); }
};

template <typename V>
struct HardSigmoid {
  using S = Scalar<V>;
  static constexpr const char* kName = "hard_sigmoid";
  static constexpr const char* kFormula = "clip(x / 6 + 1 / 2, 0, 1)";
  static constexpr const char* kSource =
      "Courbariaux et al. 2015, arXiv:1511.00363, section 2.3; with slope 1/6 as in Keras 3 and PyTorch";
  static constexpr bool kSlopeNeedsInput = false;
  static V forward(V x) { return clamp(x * S(1.0 / 6) + S(0.5), 0, 1); }
  static V slope(V, V y) { return ((y > 0) & (y < 1)) ? S(1.0 / 6) : S(0); }
};

template <typename V>
struct Tanh {
  static constexpr const char* kName = "tanh";
  static constexpr const char* kFormula = "tanh(x)";
  static constexpr const char* kSource = "LeCun et al. 1998, Efficient BackProp, section 4.4";
  static constexpr bool kSlopeNeedsInput = false;
  static V forward(V x) { return tanh(x); }
  static V slope(V, V y) { return (1 - y) * (1 + y); }
};

template <typename V>
struct HardTanh {
  using S = Scalar<V>;
  static constexpr const char* kName = "hard_tanh";
  static constexpr const char* kFormula = "clip(x, -1, 1)";
  static constexpr const char* kSource = "Collobert 2004, Large scale machine learning, chapter 5";
  static constexpr bool kSlopeNeedsInput = false;
  static V forward(V x) { return clamp(x, -1, 1); }
  static V slope(V, V y) { return ((y > -1) & (y < 1)) ? S(1) : S(0); }
};

template <typename V>
struct Softsign {
  static constexpr const char* kName = "softsign";
  static constexpr const char* kFormula = "x / (1 + abs(x))";
  static constexpr const char* kSource =
      "Bergstra et al. 2009, technical report 1337, Université de Montréal";
  static constexpr bool kSlopeNeedsInput = true;  // 1 - |y| would lose digits far out
  static V forward(V x) {
    const V finite = clamp(x, -FormatOf<V>::kLargest, FormatOf<V>::kLargest);
    return finite / (1 + abs(finite));
  }
  static V slope(V x, V) {
    const V s = 1 / (1 + abs(x));
    return s * s;
  }
};

// The perceptron's unit. Its slope is 0 everywhere: train it by the perceptron rule, not by gradients.
template <typename V>
struct Step {
  using S = Scalar<V>;
  static constexpr const char* kName = "step";
  static constexpr const char* kFormula = "where(x >= 0, 1, 0)";
  static constexpr const char* kSource = "Rosenblatt 1958, Psychological Review 65; slope 0 everywhere";
  static constexpr bool kSlopeNeedsInput = false;
  static V forward(V x) {
    const V below = x < 0 ? S(0) : x;
    return x >= 0 ? S(1) : below;
  }
  static V slope(V, V) { return V{}; }
};

}  // namespace initcore::INITCORE_ISA
