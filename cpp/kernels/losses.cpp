// The loops that run a loss, and the table of all losses.
#include "kernels/losses.h"

#include "kernels/both.h"
#include "kernels/loss_list.h"
#include "kernels/rows.h"
#include "kernels/struct_parameters.h"

namespace initcore::INITCORE_ISA {
namespace {

// Values wait in memory for their sum, which is in double precision: its vectors are half as long.
constexpr Index kBlock = 1024;

/// value[i] and, if kGradient, gradient[i] = factor weight_i slope_i for n elements, n <= kBlock. All weights
/// are 1 unless kWeighted.
template <bool kWeighted, bool kGradient, typename F, typename T>
INITCORE_INLINE void block(const F f, const T* p, const T* y, const T* weight, Index n, T factor, T* value,
                           T* gradient) {
  using V = Vector<T>;
  const auto slope = [&](V a, V b, V w) { return (kWeighted ? factor * w : V{} + factor) * f.slope(a, b); };
  if (n < kLanes<T>) {
    const V a = load_first(p, n), b = load_first(y, n), w = kWeighted ? load_first(weight, n) : V{};
    store_first(value, f.value(a, b), n);
    if (kGradient) store_first(gradient, slope(a, b, w), n);
    return;
  }
  const WideRow<T> row(n);
  const V a = load(p + row.last), b = load(y + row.last), w = kWeighted ? load(weight + row.last) : V{};
  const V last = f.value(a, b), last_slope = kGradient ? slope(a, b, w) : V{};
  row.each([&](Index j) {
    const V aj = load(p + j), bj = load(y + j), wj = kWeighted ? load(weight + j) : V{};
    store(value + j, f.value(aj, bj));
    if (kGradient) store(gradient + j, slope(aj, bj, wj));
  });
  store(value + row.last, last);
  if (kGradient) store(gradient + row.last, last_slope);
}

/// The sum of weight_i value_i over n elements; gradient as in block().
template <bool kWeighted, bool kGradient, typename F, typename T>
[[gnu::flatten]] double span(const F f, const T* p, const T* y, const T* weight, Index n, T factor,
                             T* gradient) {
  double sum = 0;
  for (Index i = 0; i < n; i += kBlock) {
    const Index count = min(n - i, kBlock);
    T value[kBlock];
    block<kWeighted, kGradient>(f, p + i, y + i, weight + i, count, factor, value, gradient + i);
#pragma omp simd reduction(+ : sum)
    for (Index j = 0; j < count; ++j) {
      const double share = static_cast<double>(value[j]);
      sum += kWeighted ? static_cast<double>(weight[i + j]) * share : share;
    }
  }
  return sum;
}

template <bool kWeighted, typename F, typename T>
double span(const F f, const T* p, const T* y, const T* weight, Index n, T factor, T* gradient) {
  return gradient ? span<kWeighted, true>(f, p, y, weight, n, factor, gradient)
                  : span<kWeighted, false>(f, p, y, weight, n, factor, gradient);
}

/// Elementwise losses: one loop over all elements where the weights allow it, so that one column is as fast
/// as many.
template <typename F, typename T>
double elementwise(const LossRows<T>& r, Index begin, Index end) {
  const F f = with_parameters<F, T>(r.parameters);
  const Index columns = r.columns, first = begin * columns;
  const double share = F::kSum ? 1 : 1 / static_cast<double>(columns);
  const T* p = r.prediction + first;
  const T* y = static_cast<const T*>(r.target) + first;
  T* gradient = r.gradient ? r.gradient + first : nullptr;
  const T factor = static_cast<T>(r.scale * share);
  if (!r.weight) return share * span<false>(f, p, y, p, (end - begin) * columns, factor, gradient);
  if (columns == 1) return share * span<true>(f, p, y, r.weight + begin, end - begin, factor, gradient);
  double sum = 0;
  for (Index i = begin; i < end; ++i) {
    const T weight = r.weight[i];
    sum += static_cast<double>(weight) * span<false>(f, p, y, p, columns, factor * weight, gradient);
    p += columns, y += columns;
    if (gradient) gradient += columns;
  }
  return share * sum;
}

template <typename T>
struct Maker {
  using Row = Loss<T>;

  template <typename F>
  static constexpr Row row() {
    Row result{F::kName, F::kFormula, F::kSource, {}, false, nullptr};
    if constexpr (requires { F::kClasses; }) {
      result.classes = F::kClasses;
      result.run = F::run;
    } else {
      result.run = elementwise<F, T>;
    }
    list_parameters<F>(result.parameters);
    return result;
  }
};

template <typename T>
constexpr LossKernels<T> table() {
  using List = LossList<T>;
  return {Table<Maker<T>, List>::kRows, List::kCount};
}

}  // namespace

extern const Both<LossKernels> losses;
constinit const Both<LossKernels> losses{table<float>(), table<double>()};

}  // namespace initcore::INITCORE_ISA
