// The loops that run an activation, and the table of all activations.
#include "kernels/activations.h"

#include "kernels/activation_list.h"
#include "kernels/both.h"

namespace initcore::INITCORE_ISA {
namespace {

/// An F whose members are the given parameters, in the order of F::kParameters.
template <typename F, typename T>
F with_parameters(const double* p) {
  if constexpr (requires { F::kParameters[1]; } && sizeof(F) == 2 * sizeof(T)) {
    return F{static_cast<T>(p[0]), static_cast<T>(p[1])};
  } else if constexpr (requires { F::kParameters; }) {
    return F{static_cast<T>(p[0])};
  } else {
    return F{};
  }
}

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

template <typename F, typename T>
constexpr Activation<T> row() {
  Activation<T> result{F::kName,      F::kFormula,   F::kSource, {}, F::kSlopeNeedsInput,
                       forward<F, T>, backward<F, T>};
  if constexpr (requires { F::kParameters; }) {
    int i = 0;
    for (const Parameter& parameter : F::kParameters) result.parameters[i++] = parameter;
  }
  return result;
}

template <typename List>
struct Rows;

template <template <typename> class... F, typename T>
struct Rows<TypeList<F<T>...>> {
  static constexpr Activation<T> kRows[] = {row<F<T>, T>()...};
};

template <typename T>
constexpr ActivationKernels<T> table() {
  using List = ActivationList<T>;
  return {Rows<List>::kRows, List::kCount};
}

}  // namespace

extern const Both<ActivationKernels> activations;
constinit const Both<ActivationKernels> activations{table<float>(), table<double>()};

}  // namespace initcore::INITCORE_ISA
