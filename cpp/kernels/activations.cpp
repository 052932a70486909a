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
  map([f](Vector<T> v) { return f.forward(v); }, n, y, x);
}

template <typename F, typename T>
[[gnu::flatten]] void backward(const T* dy, const T* x, const T* y, T* dx, Index n, const double* p) {
  const F f = with_parameters<F, T>(p);
  using V = Vector<T>;
  if constexpr (F::kSlopeNeedsInput) {
    map([f](V g, V v) { return g * f.slope(v, V{}); }, n, dx, dy, x);
  } else {
    map([f](V g, V v) { return g * f.slope(V{}, v); }, n, dx, dy, y);
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
  using List = ActivationList<Vector<T>>;
  return {Table<Maker<T>, List>::kRows, List::kCount};
}

}  // namespace

extern const Both<ActivationKernels> activations;
constinit const Both<ActivationKernels> activations{table<float>(), table<double>()};

}  // namespace initcore::INITCORE_ISA
