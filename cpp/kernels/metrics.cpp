// The metrics and, at the end, the table of them. To add one: write a function of one row like its
// neighbours, name it in `Rows`, and add its dataclass to python/initcore/metrics.py.
#include "kernels/metrics.h"

#include "kernels/both.h"
#include "kernels/isa.h"

namespace initcore::INITCORE_ISA {
namespace {

/// How many entries come before entry `label` if the row is sorted, largest first, equal ones in their order;
/// the row's length if any entry is NaN, so that no such row counts as right.
template <typename T>
Index rank(const T* p, Index label, Index columns) {
  const T own = p[label];
  Index above = 0, unordered = 0;
#pragma omp simd reduction(+ : above, unordered)
  for (Index j = 0; j < columns; ++j) {
    above += p[j] > own ? 1 : 0;
    unordered += p[j] != p[j] ? 1 : 0;
  }
  for (Index j = 0; j < label; ++j) above += p[j] == own ? 1 : 0;
  return unordered ? columns : above;
}

template <typename T>
double in_top_k(const MetricRows<T>& r, Index i) {
  const std::int32_t label = static_cast<const std::int32_t*>(r.target)[i];
  if (label < 0 || label >= r.columns) return 0;
  const Index place = rank(r.prediction + i * r.columns, label, r.columns);
  return place < r.columns && static_cast<double>(place) < r.parameter ? 1 : 0;
}

/// The same, where the class is the first largest entry of a target row.
template <typename T>
double in_top_k_of_row(const MetricRows<T>& r, Index i) {
  const T* y = static_cast<const T*>(r.target) + i * r.columns;
  Index label = 0;
  for (Index j = 1; j < r.columns; ++j)
    if (y[j] > y[label]) label = j;
  const Index place = rank(r.prediction + i * r.columns, label, r.columns);
  return place < r.columns && static_cast<double>(place) < r.parameter ? 1 : 0;
}

/// The mean over a row of f(prediction, target).
template <typename T, typename F>
double row_mean(const MetricRows<T>& r, Index i, F f) {
  const T* p = r.prediction + i * r.columns;
  const T* y = static_cast<const T*>(r.target) + i * r.columns;
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Index j = 0; j < r.columns; ++j) sum += f(static_cast<double>(p[j]), static_cast<double>(y[j]));
  return sum / static_cast<double>(r.columns);
}

template <typename T>
double on_right_side(const MetricRows<T>& r, Index i) {
  const double threshold = r.parameter;
  // Targets are 0 and 1, or -1 and 1 for the hinge loss. A NaN is on neither side.
  return row_mean(r, i, [=](double p, double y) {
    return static_cast<double>(y > 0.5 ? p > threshold : p <= threshold);
  });
}

template <typename T>
double absolute_error(const MetricRows<T>& r, Index i) {
  return row_mean(r, i, [](double p, double y) { return __builtin_fabs(p - y); });
}

template <typename T>
double squared_error(const MetricRows<T>& r, Index i) {
  return row_mean(r, i, [](double p, double y) { return (p - y) * (p - y); });
}

/// total: sum of weight_i value_i, sum of weight_i.
template <typename T, double (*kValue)(const MetricRows<T>&, Index)>
void add_mean(const MetricRows<T>& r, Index n, double* total) {
  for (Index i = 0; i < n; ++i) {
    const double weight = r.weight ? static_cast<double>(r.weight[i]) : 1;
    total[0] += weight * kValue(r, i);
    total[1] += weight;
  }
}

/// total: sum of weights; then for each column the target's weighted mean, its sum of squares around that
/// mean, and the sum of squared errors. West 1979, doi:10.1145/359146.359153: stable for any mean.
template <typename T>
void add_squares(const MetricRows<T>& r, Index n, double* total) {
  const Index columns = r.columns;
  double *mean = total + 1, *spread = mean + columns, *error = spread + columns;
  for (Index i = 0; i < n; ++i) {
    const double weight = r.weight ? static_cast<double>(r.weight[i]) : 1;
    if (weight == 0) continue;
    total[0] += weight;
    const double share = weight / total[0];
    const T* p = r.prediction + i * columns;
    const T* y = static_cast<const T*>(r.target) + i * columns;
#pragma omp simd
    for (Index j = 0; j < columns; ++j) {
      const double target = static_cast<double>(y[j]), step = target - mean[j];
      const double difference = static_cast<double>(p[j]) - target;
      mean[j] += step * share;
      spread[j] += weight * step * (target - mean[j]);
      error[j] += weight * difference * difference;
    }
  }
}

template <typename T>
struct Rows {
  static constexpr Metric<T> kRows[] = {
      {"top_k_classes", true, 0, add_mean<T, in_top_k<T>>},
      {"top_k", false, 0, add_mean<T, in_top_k_of_row<T>>},
      {"binary", false, 0, add_mean<T, on_right_side<T>>},
      {"absolute_error", false, 0, add_mean<T, absolute_error<T>>},
      {"squared_error", false, 0, add_mean<T, squared_error<T>>},
      {"squares", false, 3, add_squares<T>},
  };
};

template <typename T>
constexpr MetricKernels<T> table() {
  return {Rows<T>::kRows, sizeof(Rows<T>::kRows) / sizeof(Metric<T>)};
}

}  // namespace

extern const Both<MetricKernels> metrics;
constinit const Both<MetricKernels> metrics{table<float>(), table<double>()};

}  // namespace initcore::INITCORE_ISA
