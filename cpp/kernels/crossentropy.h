// The cross-entropies of a distribution over classes, which look at a whole row: from probabilities, or from
// logits with softmax, loss and gradient in one pass. Targets are distributions or class numbers.
#pragma once

#include "kernels/losses.h"
#include "kernels/rows.h"

namespace initcore::INITCORE_ISA {
namespace {

/// The target of one row as a distribution t, smoothed.
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

  /// t_j, t_j+1, ...
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

// Keras's epsilon: how far from 0 and 1 probabilities are kept.
template <typename T>
inline constexpr T kLow = T(1e-7);

template <typename T>
inline constexpr T kHigh = 1 - kLow<T>;

/// v; 0 where probability q is clipped.
template <typename V>
INITCORE_INLINE V unless_clipped(V q, V v) {
  using S = Scalar<V>;
  return q < kLow<S> ? V{} : q > kHigh<S> ? V{} : v;
}

template <typename V>
INITCORE_INLINE V clipped_log(V q) {
  return log(clamp(q, kLow<Scalar<V>>, kHigh<Scalar<V>>));
}

/// One row of probabilities p, which are divided by their sum S and clipped as in Keras:
/// loss = -sum_j t_j log clip(p_j / S).
template <typename T, typename Target>
INITCORE_INLINE T probability_row(const T* p, const Target t, const WideRow<T>& row, T factor, T* gradient) {
  using V = Vector<T>;
  V sum = row.only_fresh(load(p + row.last));
  row.each([&](Index j) { sum += load(p + j); });
  const T whole = sum_across<T>(sum);
  const V last_q = load(p + row.last) / whole, last_share = t.lanes(row.last);
  V loss = row.only_fresh(last_share * clipped_log(last_q));
  V inside = row.only_fresh(unless_clipped(last_q, last_share));
  row.each([&](Index j) {
    const V q = load(p + j) / whole, share = t.lanes(j);
    loss += share * clipped_log(q);
    inside += unless_clipped(q, share);
  });
  if (gradient) {
    const T mass = sum_across<T>(inside);
    const auto slope = [&](V q, V share) { return factor * (mass - unless_clipped(q, share / q)) / whole; };
    row.each([&](Index j) { store(gradient + j, slope(load(p + j) / whole, t.lanes(j))); });
    store(gradient + row.last, slope(last_q, last_share));
  }
  return -sum_across<T>(loss);
}

/// The same for rows [first, first + n), n <= kLanes, side by side: the sum of weight_i loss_i.
template <typename T, bool kClasses, bool kLogits>
INITCORE_INLINE double side_by_side(const LossRows<T>& r, Index first, Index n) {
  using V = Vector<T>;
  constexpr Index kRows = kLanes<T>;
  const Index columns = r.columns;
  SideBySide<T> z, t;
  z.read(r.prediction + first * columns, columns, n);
  V weight = V{} + 1;
  if (r.weight) weight = n == kRows ? load(r.weight + first) : load_first(r.weight + first, n);
  const TargetRow<T, kClasses> target(r, first);
  if constexpr (kClasses) {
    const std::int32_t* const labels = static_cast<const std::int32_t*>(r.target) + first;
    ShortVector<std::int32_t, kRows> read = {};
    if (n == kRows) {
      __builtin_memcpy(&read, labels, sizeof read);
    } else {
      for (Index l = 0; l < n; ++l) read[l] = labels[l];
    }
    const V label = __builtin_convertvector(read, V);       // exact, if it is one of a few columns
    const V nan = V{} + static_cast<T>(__builtin_nan(""));  // else all of its row becomes NaN
    weight = label < 0 ? nan : label < static_cast<T>(columns) ? weight : nan;
    for (Index j = 0; j < columns; ++j)
      t.column[j] = label == static_cast<T>(j) ? target.even + target.rest : V{} + target.even;
  } else {
    t.read(target.y, columns, n);
    for (Index j = 0; j < columns; ++j) t.column[j] = t.column[j] * target.rest + target.even;
  }
  const V factor = static_cast<T>(r.scale) * weight;
  V value{};
  if constexpr (kLogits) {
    V top = z.column[0], sum{}, mass{}, dot{};
    for (Index j = 1; j < columns; ++j) top = larger(top, z.column[j]);
    for (Index j = 0; j < columns; ++j) {
      const V shifted = z.column[j] - top;
      z.column[j] = exp_below(shifted);
      sum += z.column[j];
      mass += t.column[j];
      dot += weighted(t.column[j], shifted);
    }
    const V part = mass / sum;
    if (r.gradient)
      for (Index j = 0; j < columns; ++j) z.column[j] = factor * (z.column[j] * part - t.column[j]);
    value = mass * log(sum) - dot;
  } else {
    V sum{}, inside{};
    for (Index j = 0; j < columns; ++j) sum += z.column[j];
    for (Index j = 0; j < columns; ++j) {
      z.column[j] /= sum;
      value -= t.column[j] * clipped_log(z.column[j]);
      inside += unless_clipped(z.column[j], t.column[j]);
    }
    if (r.gradient)
      for (Index j = 0; j < columns; ++j)
        z.column[j] = factor * (inside - unless_clipped(z.column[j], t.column[j] / z.column[j])) / sum;
  }
  if (r.gradient) z.write(r.gradient + first * columns, columns, n);
  using Doubles = ShortVector<double, kRows>;
  const Doubles product = __builtin_convertvector(only_first<T>(weight, n), Doubles) *
                          __builtin_convertvector(only_first<T>(value, n), Doubles);
  double products[kRows];
  __builtin_memcpy(products, &product, sizeof products);
  return across(products, [](double a, double b) { return a + b; });
}

template <typename T, bool kClasses, bool kLogits>
double crossentropy(const LossRows<T>& r, Index begin, Index end) {
  const Index columns = r.columns;
  double sum = 0;
  if (columns < kNarrow<T>) {
    for (Index i = begin; i < end; i += kLanes<T>)
      sum += side_by_side<T, kClasses, kLogits>(r, i, min<Index>(end - i, kLanes<T>));
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
                            : probability_row(p, target, row, factor, gradient);
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
