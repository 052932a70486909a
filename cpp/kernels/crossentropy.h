// The cross-entropies of a distribution over classes, which look at a whole row: from probabilities, or from
// logits with softmax, loss and gradient in one pass. Targets are distributions or class numbers.
#pragma once

#include "kernels/losses.h"
#include "kernels/rows.h"

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

  /// t(j), t(j + 1), ...
  INITCORE_INLINE Vector<T> lanes(Index j) const {
    if constexpr (kClasses) {
      using B = typename Format<T>::Bits;
      return lane_numbers<T>() == B(label) - B(j) ? even + rest : Vector<T>{} + even;
    } else {
      return load(y + j) * rest + even;
    }
  }
};

/// share shifted; 0 where share is: a class may be masked by -inf.
template <typename V>
INITCORE_INLINE V weighted(V share, V shifted) {
  return share == 0 ? V{} : share * shifted;
}

/// One row of logits z: loss = sum_j t_j (log sum_k e^z_k - z_j); gradient_j = factor dloss / dz_j unless
/// null.
template <typename T, typename Target>
INITCORE_INLINE T softmax_row(const T* z, const Target t, const WideRow<T>& row, T factor, T* gradient) {
  using V = Vector<T>;
  const T top = max_across<T>(row.largest(z));
  const V last_share = t.lanes(row.last), last_shifted = load(z + row.last) - top;
  const V last = exp_below(last_shifted);
  V sum = row.only_fresh(last), mass = row.only_fresh(last_share);
  V dot = row.only_fresh(weighted(last_share, last_shifted));
  row.each([&](Index j) {
    const V share = t.lanes(j), shifted = load(z + j) - top, e = exp_below(shifted);
    if (gradient) store(gradient + j, e);
    sum += e;
    mass += share;
    dot += weighted(share, shifted);
  });
  const T whole = sum_across<T>(sum), share = sum_across<T>(mass);
  if (gradient) {
    const T part = share / whole;
    row.each([&](Index j) { store(gradient + j, factor * (load(gradient + j) * part - t.lanes(j))); });
    store(gradient + row.last, factor * (last * part - last_share));
  }
  return share * log(whole) - sum_across<T>(dot);
}

/// softmax_row() for rows [first, first + n), n <= kLanes, side by side: the sum of weight_i loss_i.
template <typename T, bool kClasses>
INITCORE_INLINE double softmax_side_by_side(const LossRows<T>& r, Index first, Index n) {
  using V = Vector<T>;
  constexpr Index kRows = kLanes<T>;
  const Index columns = r.columns;
  SideBySide<T> z, t;
  z.read(r.prediction + first * columns, columns, n);
  V weight = V{} + 1;
  if (r.weight) weight = n == kRows ? load(r.weight + first) : load_first(r.weight + first, n);
  const TargetRow<T, kClasses> target(r, first);
  if constexpr (kClasses) {
    const std::int32_t* labels = static_cast<const std::int32_t*>(r.target) + first;
    T class_of[kRows];  // exact: columns are few
    for (Index l = 0; l < kRows; ++l) {
      const std::int32_t label = labels[min(l, n - 1)];
      class_of[l] = 0 <= label && label < columns ? static_cast<T>(label) : static_cast<T>(__builtin_nan(""));
    }
    const V label = load(class_of);
    weight += label - label;  // a class that is no column makes all of its row NaN
    for (Index j = 0; j < columns; ++j)
      t.column[j] = label == static_cast<T>(j) ? target.even + target.rest : V{} + target.even;
  } else {
    t.read(target.y, columns, n);
    for (Index j = 0; j < columns; ++j) t.column[j] = t.column[j] * target.rest + target.even;
  }
  V top = z.column[0], sum{}, mass{}, dot{};
  for (Index j = 1; j < columns; ++j) top = larger(top, z.column[j]);
  for (Index j = 0; j < columns; ++j) {
    const V shifted = z.column[j] - top;
    z.column[j] = exp_below(shifted);
    sum += z.column[j];
    mass += t.column[j];
    dot += weighted(t.column[j], shifted);
  }
  if (r.gradient) {
    const V factor = static_cast<T>(r.scale) * weight, part = mass / sum;
    for (Index j = 0; j < columns; ++j) z.column[j] = factor * (z.column[j] * part - t.column[j]);
    z.write(r.gradient + first * columns, columns, n);
  }
  T values[kRows], weights[kRows];
  store(values, mass * log(sum) - dot);
  store(weights, weight);
  double products[kRows];
  for (Index l = 0; l < kRows; ++l)
    products[l] = l < n ? static_cast<double>(weights[l]) * static_cast<double>(values[l]) : 0;
  return across(products, [](double a, double b) { return a + b; });
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
  const WideRow<T> row(columns);
  for (Index i = begin; i < end; ++i) {
    const TargetRow<T, kClasses> target(r, i);
    const T weight = r.weight ? r.weight[i] : T(1);
    const T poison = target.valid ? T(1) : static_cast<T>(__builtin_nan(""));
    const T factor = static_cast<T>(r.scale) * weight * poison;
    const T* p = r.prediction + i * columns;
    T* gradient = r.gradient ? r.gradient + i * columns : nullptr;
    const T value = kLogits ? softmax_row(p, target, row, factor, gradient)
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
