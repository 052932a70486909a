// The loop that runs an update rule, the sums behind norms and penalties, and the table of all rules.
#include "kernels/optimizers.h"

#include "kernels/both.h"
#include "kernels/optimizer_list.h"

namespace initcore::INITCORE_ISA {
namespace {

template <typename Rule, typename T>
void prepare(const double* hyperparameters, std::int64_t t, double rate, double* scalars, T* coefficients) {
  const auto rule = Rule::prepare(hyperparameters, t, rate, scalars);
  static_assert(sizeof rule == sizeof(Rule) && sizeof rule <= kMaxCoefficients * sizeof(T));
  __builtin_memcpy(coefficients, &rule, sizeof rule);
}

template <typename Rule, typename T, typename... Slot>
inline void update(const Rule rule, T* w, const T* g, Index n, const Preliminary<T> before, Slot*... slots) {
  // Mostly there is nothing to decay, scale or cut: four operations less, and the same bits.
  if (before.keep == 1 && before.scale == 1 && before.limit == Preliminary<T>{}.limit) {
#pragma omp simd
    for (Index i = 0; i < n; ++i) w[i] = rule(w[i], g[i], slots[i]...);
    return;
  }
#pragma omp simd
  for (Index i = 0; i < n; ++i) {
    const T scaled = before.scale * g[i];
    const T cut = scaled < -before.limit ? -before.limit : scaled;  // this way round, NaN stays NaN
    w[i] = rule(before.keep * w[i], cut > before.limit ? before.limit : cut, slots[i]...);
  }
}

template <typename Rule>
constexpr int slot_count() {
  if constexpr (requires { Rule::kSlots; }) {
    return sizeof(Rule::kSlots) / sizeof(const char*);
  } else {
    return 0;
  }
}

// [[gnu::flatten]]: the rule is inlined into the loop at any optimization level.
template <typename Rule, typename T>
[[gnu::flatten]] void step(T* w, const T* g, T* const* slots, Index n, const Preliminary<T>& before,
                           const T* coefficients) {
  constexpr int kSlotCount = slot_count<Rule>();
  Rule rule;
  __builtin_memcpy(&rule, coefficients, sizeof rule);
  if constexpr (kSlotCount == 0) update(rule, w, g, n, before);
  if constexpr (kSlotCount == 1) update(rule, w, g, n, before, slots[0]);
  if constexpr (kSlotCount == 2) update(rule, w, g, n, before, slots[0], slots[1]);
  if constexpr (kSlotCount == 3) update(rule, w, g, n, before, slots[0], slots[1], slots[2]);
}

template <typename T>
double sum_of_squares(const T* x, Index n) {
  // Several vectors of partial sums, so that one addition need not wait for the one before it.
  constexpr int kWidth = 8 * kLanes<double>;
  double sums[kWidth] = {};
  Index i = 0;
  for (; i + kWidth <= n; i += kWidth) {
#pragma omp simd
    for (int j = 0; j < kWidth; ++j) sums[j] += double(x[i + j]) * double(x[i + j]);
  }
  double sum = 0;
  for (; i < n; ++i) sum += double(x[i]) * double(x[i]);
  for (int j = 0; j < kWidth; ++j) sum += sums[j];
  return sum;
}

template <typename T>
double penalty(const T* w, T* g, Index n, double l1, double l2) {
  const T slope = T(l1), twice = T(2 * l2);
  double absolute = 0, squares = 0;
  constexpr Index kBlock = 1024;  // the second loop finds w in the first-level cache
  for (Index start = 0; start < n; start += kBlock) {
    const Index end = min(n, start + kBlock);
#pragma omp simd reduction(+ : absolute, squares)
    for (Index i = start; i < end; ++i) {
      absolute += double(w[i] < 0 ? -w[i] : w[i]);
      squares += double(w[i]) * double(w[i]);
    }
    if (!g) continue;
#pragma omp simd
    for (Index i = start; i < end; ++i) g[i] += twice * w[i] + (w[i] > 0 ? slope : w[i] < 0 ? -slope : T(0));
  }
  return l1 * absolute + l2 * squares;
}

template <typename T>
struct Maker {
  using Row = UpdateRule<T>;

  template <typename Rule>
  static constexpr Row row() {
    Row result{Rule::kName, Rule::kSource, {}, {}, {}, prepare<Rule, T>, step<Rule, T>};
    int i = 0, j = 0, k = 0;
    if constexpr (requires { Rule::kHyperparameters; })
      for (const char* name : Rule::kHyperparameters) result.hyperparameters[i++] = name;
    if constexpr (requires { Rule::kSlots; })
      for (const char* name : Rule::kSlots) result.slots[j++] = name;
    if constexpr (requires { Rule::kScalars; })
      for (const char* name : Rule::kScalars) result.scalars[k++] = name;
    return result;
  }
};

template <typename T>
constexpr OptimizerKernels<T> table() {
  using List = OptimizerList<T>;
  return {Table<Maker<T>, List>::kRows, List::kCount, sum_of_squares<T>, penalty<T>};
}

}  // namespace

extern const Both<OptimizerKernels> optimizers;
constinit const Both<OptimizerKernels> optimizers{table<float>(), table<double>()};

}  // namespace initcore::INITCORE_ISA
