// The loops that run a loss, and the table of all losses.
#include "kernels/losses.h"

#include "kernels/both.h"
#include "kernels/loss_list.h"
#include "kernels/struct_parameters.h"

namespace initcore::INITCORE_ISA {
namespace {

/// The sum of the values over n elements; gradient[i] = factor slope_i unless gradient is null.
template <typename F, typename T>
double span(const F f, const T* p, const T* y, Index n, T factor, T* gradient) {
  double sum = 0;
  if (gradient) {
#pragma omp simd reduction(+ : sum)
    for (Index i = 0; i < n; ++i) {
      sum += static_cast<double>(f.value(p[i], y[i]));
      gradient[i] = factor * f.slope(p[i], y[i]);
    }
  } else {
#pragma omp simd reduction(+ : sum)
    for (Index i = 0; i < n; ++i) sum += static_cast<double>(f.value(p[i], y[i]));
  }
  return sum;
}

/// The same with a weight for each element.
template <typename F, typename T>
double weighted_span(const F f, const T* p, const T* y, const T* weight, Index n, T factor, T* gradient) {
  double sum = 0;
  if (gradient) {
#pragma omp simd reduction(+ : sum)
    for (Index i = 0; i < n; ++i) {
      sum += static_cast<double>(weight[i]) * static_cast<double>(f.value(p[i], y[i]));
      gradient[i] = factor * weight[i] * f.slope(p[i], y[i]);
    }
  } else {
#pragma omp simd reduction(+ : sum)
    for (Index i = 0; i < n; ++i)
      sum += static_cast<double>(weight[i]) * static_cast<double>(f.value(p[i], y[i]));
  }
  return sum;
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
  if (!r.weight) return share * span(f, p, y, (end - begin) * columns, factor, gradient);
  if (columns == 1) return share * weighted_span(f, p, y, r.weight + begin, end - begin, factor, gradient);
  double sum = 0;
  for (Index i = begin; i < end; ++i) {
    const T weight = r.weight[i];
    sum += static_cast<double>(weight) * span(f, p, y, columns, factor * weight, gradient);
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
