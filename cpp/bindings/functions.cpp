// The elementary functions of vmath.h on arrays, for tests and benchmarks.
#include "bindings/array.h"
#include "dispatch.h"

namespace initcore {

namespace {

std::vector<std::string> names() {
  std::vector<std::string> result;
  const FunctionKernels<float>& table = kernels().functions.f32;
  for (Index i = 0; i < table.count; ++i) result.push_back(table.rows[i].name);
  return result;
}

void run(const std::string& name, const py::array& x, py::array& y) {
  with_dtype(dtype_of(x, "x"), [&]<typename T>() {
    const T* from = input<T>(x, "x");
    T* to = output<T>(y, "y");
    check(x.size() == y.size(), "x and y must have the same size");
    const FunctionKernels<T>& table = kernels().functions.of<T>();
    Index i = 0;
    while (i < table.count && table.rows[i].name != name) ++i;
    check(i < table.count, [&] { return "no function is called " + name; });
    const Index n = x.size();
    const py::gil_scoped_release nogil;
    table.rows[i].run(from, to, n);
  });
}

}  // namespace

void bind_functions(py::module_& m) {
  m.def("functions", &names, "Names of the elementary functions.");
  m.def("function", &run, py::arg("name"), py::arg("x"), py::arg("y"), "y = f(x), elementwise.");
}

}  // namespace initcore
