// The cross-entropies of a distribution over classes, which look at a whole row: from probabilities, or from
// logits with softmax, loss and gradient in one pass. Targets are distributions or class numbers.
#pragma once

#include "kernels/largest.h"
#include "kernels/losses.h"
#include "kernels/vmath.h"

namespace initcore::INITCORE_ISA {
namespace {

/// The target of one row as a distribution t(j), smoothed.
template <typename T, bool kClasses>
struct TargetRow {
  const T* y;          // the row, or null
  std::int32_t label;  // or the class
  T rest, even;        // 1 - label_smoothing, label_smoothing / columns
  bool valid;          // the class is a column

  TargetRow(const LossRows<T>& r, Index i) {
    const T label_smoothing = static_cast<T>(r.parameters[0]);
    rest = 1 - label_smoothing;
    even = label_smoothing / static_cast<T>(r.columns);
    if constexpr (kClasses) {
      y = nullptr;
      label = static_cast<const std::int32_t*>(r.target)[i];
      valid = 0 <= label && label < r.columns;
    } else {
      y = static_cast<const T*>(r.target) + i * r.columns;
      label = 0;
      valid = true;
    }
  }

  INITCORE_INLINE T operator()(Index j) const {
    if constexpr (kClasses) {
      return static_cast<std::int32_t>(j) == label ? even + rest : even;
    } else {
      return y[j] * rest + even;
    }
  }
};

/// One row of logits z: loss = sum_j t_j (log sum_k e^z_k - z_j); gradient_j = factor dloss / dz_j unless
/// null.
template <typename T, typename Target>
T softmax_row(const T* z, const Target t, Index columns, T factor, T* gradient) {
  const T top = largest(z, columns);
  T sum = 0, mass = 0, dot = 0;
#pragma omp simd reduction(+ : sum, mass, dot)
  for (Index j = 0; j < columns; ++j) {
    const T share = t(j), shifted = z[j] - top;
    sum += exp(shifted);
    mass += share;
    dot += share == 0 ? T(0) : share * shifted;  // a class that is masked by -inf
  }
  if (gradient) {
    const T part = mass / sum;
#pragma omp simd
    for (Index j = 0; j < columns; ++j) gradient[j] = factor * (exp(z[j] - top) * part - t(j));
  }
  return mass * log(sum) - dot;
}

// Rows shorter than this are computed side by side, one in each lane, so that no lane idles.
template <typename T>
inline constexpr Index kNarrow = 2 * kLanes<T>;

/// softmax_row() for rows [first, first + n), n <= kLanes: the sum of weight_i loss_i.
template <typename T, bool kClasses>
double softmax_side_by_side(const LossRows<T>& r, Index first, Index n) {
  constexpr Index kRows = kLanes<T>;
  const Index columns = r.columns;
  T z[kNarrow<T>][kRows], t[kNarrow<T>][kRows];
  T top[kRows], sum[kRows] = {}, mass[kRows] = {}, dot[kRows] = {}, value[kRows], weight[kRows];
  for (Index l = 0; l < kRows; ++l) {
    const Index i = first + (l < n ? l : n - 1);  // lanes past the end repeat the last row
    const TargetRow<T, kClasses> target(r, i);
    weight[l] = r.weight ? r.weight[i] : T(1);
    top[l] = r.prediction[i * columns];
    for (Index j = 0; j < columns; ++j) {
      z[j][l] = r.prediction[i * columns + j];
      t[j][l] = target.valid ? target(j) : static_cast<T>(__builtin_nan(""));
    }
  }
  for (Index j = 1; j < columns; ++j) {
#pragma omp simd
    for (Index l = 0; l < kRows; ++l) top[l] = top[l] > z[j][l] ? top[l] : z[j][l];
  }
  for (Index j = 0; j < columns; ++j) {
#pragma omp simd
    for (Index l = 0; l < kRows; ++l) {
      const T shifted = z[j][l] - top[l];
      z[j][l] = exp(shifted);
      sum[l] += z[j][l];
      mass[l] += t[j][l];
      dot[l] += t[j][l] == 0 ? T(0) : t[j][l] * shifted;
    }
  }
#pragma omp simd
  for (Index l = 0; l < kRows; ++l) value[l] = mass[l] * log(sum[l]) - dot[l];
  if (r.gradient) {
    const T scale = static_cast<T>(r.scale);
    for (Index j = 0; j < columns; ++j) {
#pragma omp simd
      for (Index l = 0; l < kRows; ++l)
        z[j][l] = scale * weight[l] * (z[j][l] * (mass[l] / sum[l]) - t[j][l]);
    }
    for (Index l = 0; l < n; ++l)
      for (Index j = 0; j < columns; ++j) r.gradient[(first + l) * columns + j] = z[j][l];
  }
  double total = 0;
  for (Index l = 0; l < n; ++l) total += static_cast<double>(weight[l]) * static_cast<double>(value[l]);
  return total;
}

/// One row of probabilities p, which are divided by their sum S and kept from 0 and 1 as in Keras:
/// loss = -sum_j t_j log clip(p_j / S).
template <typename T, typename Target>
T probability_row(const T* p, const Target t, Index columns, T factor, T* gradient) {
  const T low = T(1e-7), high = 1 - low;  // Keras's epsilon
  T whole = 0;
#pragma omp simd reduction(+ : whole)
  for (Index j = 0; j < columns; ++j) whole += p[j];
  T loss = 0, inside = 0;
#pragma omp simd reduction(+ : loss, inside)
  for (Index j = 0; j < columns; ++j) {
    const T q = p[j] / whole, share = t(j);
    loss -= share * log(clamp(q, low, high));
    inside += q < low ? T(0) : q > high ? T(0) : share;
  }
  if (gradient) {
#pragma omp simd
    for (Index j = 0; j < columns; ++j) {
      const T q = p[j] / whole;
      const T own = q < low ? T(0) : q > high ? T(0) : t(j) / q;
      gradient[j] = factor * (inside - own) / whole;
    }
  }
  return loss;
}

template <typename T, bool kClasses, bool kLogits>
double crossentropy(const LossRows<T>& r, Index begin, Index end) {
  const Index columns = r.columns;
  double sum = 0;
  if (kLogits && columns < kNarrow<T>) {
    for (Index i = begin; i < end; i += kLanes<T>)
      sum += softmax_side_by_side<T, kClasses>(r, i, min<Index>(end - i, kLanes<T>));
    return sum;
  }
  for (Index i = begin; i < end; ++i) {
    const TargetRow<T, kClasses> target(r, i);
    const T weight = r.weight ? r.weight[i] : T(1);
    const T poison = target.valid ? T(1) : static_cast<T>(__builtin_nan(""));
    const T factor = static_cast<T>(r.scale) * weight * poison;
    const T* p = r.prediction + i * columns;
    T* gradient = r.gradient ? r.gradient + i * columns : nullptr;
    const T value = kLogits ? softmax_row(p, target, columns, factor, gradient)
                            : probability_row(p, target, columns, factor, gradient);
    sum += static_cast<double>(weight * poison) * static_cast<double>(value);
  }
  return sum;
}

/// What the four structs share. kClasses: targets are class numbers. kLogits: predictions are logits.
template <typename T, bool kClasses_, bool kLogits>
struct Crossentropy {
  static constexpr const char* kFormula =
      kLogits ? "-sum((y * (1 - label_smoothing) + label_smoothing / columns) * log_softmax(p))"
              : "-sum((y * (1 - label_smoothing) + label_smoothing / columns)"
                " * log(clip(p / sum(p), 1e-7, 1 - 1e-7)))";
  static constexpr const char* kSource = "Bridle 1990; smoothing: Szegedy et al. 2016, arXiv:1512.00567";
  static constexpr Parameter kParameters[] = {{"label_smoothing", 0}};
  static constexpr bool kClasses = kClasses_;
  static double run(const LossRows<T>& r, Index begin, Index end) {
    return crossentropy<T, kClasses_, kLogits>(r, begin, end);
  }
};

template <typename T>
struct CategoricalCrossentropy : Crossentropy<T, false, false> {
  static constexpr const char* kName = "categorical_crossentropy";
};

template <typename T>
struct CategoricalCrossentropyLogits : Crossentropy<T, false, true> {
  static constexpr const char* kName = "categorical_crossentropy_logits";
};

template <typename T>
struct SparseCategoricalCrossentropy : Crossentropy<T, true, false> {
  static constexpr const char* kName = "sparse_categorical_crossentropy";
};

template <typename T>
struct SparseCategoricalCrossentropyLogits : Crossentropy<T, true, true> {
  static constexpr const char* kName = "sparse_categorical_crossentropy_logits";
};

}  // namespace
}  // namespace initcore::INITCORE_ISA
