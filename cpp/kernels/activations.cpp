// The loops that run an activation, and the table of all activations.
#include "kernels/activations.h"

#include "kernels/activation_list.h"
#include "kernels/both.h"
#include "kernels/struct_parameters.h"

namespace initcore::INITCORE_ISA {
namespace {

// [[gnu::flatten]]: all of f is inlined. A call would end the vectorization, and a copy of f outside this
// file's anonymous namespace could be linked for another instruction set.

template <typename F, typename T>
[[gnu::flatten]] void forward(const T* x, T* y, Index n, const double* p) {
  const F f = with_parameters<F, T>(p);
#pragma omp simd
  for (Index i = 0; i < n; ++i) y[i] = f.forward(x[i]);
}

template <typename F, typename T>
[[gnu::flatten]] void backward(const T* dy, const T* x, const T* y, T* dx, Index n, const double* p) {
  const F f = with_parameters<F, T>(p);
  if constexpr (F::kSlopeNeedsInput) {
#pragma omp simd
    for (Index i = 0; i < n; ++i) dx[i] = dy[i] * f.slope(x[i], y[i]);
  } else {
#pragma omp simd
    for (Index i = 0; i < n; ++i) dx[i] = dy[i] * f.slope(T(0), y[i]);
  }
}

template <typename T>
struct Maker {
  using Row = Activation<T>;

  template <typename F>
  static constexpr Row row() {
    Row result{F::kName, F::kFormula, F::kSource, {}, F::kSlopeNeedsInput, forward<F, T>, backward<F, T>};
    list_parameters<F>(result.parameters);
    return result;
  }
};

template <typename T>
constexpr ActivationKernels<T> table() {
  using List = ActivationList<T>;
  return {Table<Maker<T>, List>::kRows, List::kCount};
}

}  // namespace

extern const Both<ActivationKernels> activations;
constinit const Both<ActivationKernels> activations{table<float>(), table<double>()};

}  // namespace initcore::INITCORE_ISA
