// The table of the elementary functions of vmath.h. To add one: name it in FUNCTIONS.
#include "kernels/functions.h"

#include "kernels/both.h"
#include "kernels/normal_law.h"
#include "kernels/vmath.h"

#define FUNCTIONS(X) X(exp) X(expm1) X(log) X(log1p) X(softplus) X(sigmoid) X(tanh) X(normal_cdf) X(erf)

namespace initcore::INITCORE_ISA {
namespace {

#define LOOP(f)                                     \
  template <typename T>                             \
  void loop_##f(const T* x, T* y, Index n) {        \
    map([](Vector<T> v) { return f(v); }, n, y, x); \
  }
FUNCTIONS(LOOP)
#undef LOOP

template <typename T>
constexpr Function<T> kRows[] = {
#define ROW(f) {#f, loop_##f<T>},
    FUNCTIONS(ROW)
#undef ROW
};

template <typename T>
constexpr FunctionKernels<T> table() {
  return {kRows<T>, sizeof(kRows<T>) / sizeof(Function<T>)};
}

}  // namespace

extern const Both<FunctionKernels> functions;
constinit const Both<FunctionKernels> functions{table<float>(), table<double>()};

}  // namespace initcore::INITCORE_ISA
