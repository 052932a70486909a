// What the processor can do at best. The first axis of every array is cut among the threads: one row for
// each.
#include "bindings/array.h"
#include "dispatch.h"
#include "threads.h"

namespace initcore {

namespace {

Index sums(const std::string& dtype) {
  if (dtype == "bf16") return need_bf16().sums;
  check(dtype == "float32" || dtype == "float64",
        [&] { return "dtype must be 'float32', 'float64' or 'bf16', got '" + dtype + "'"; });
  return dtype == "float32" ? kernels().roof.f32.sums : kernels().roof.f64.sums;
}

/// Elements of a row, if all arrays are of one shape with two axes.
Index columns_of(const py::array& first, std::initializer_list<const py::array*> others) {
  check(first.ndim() == 2,
        [&] { return "arrays must have two axes, one row for each thread, got " + shape_of(first); });
  for (const py::array* other : others) {
    check(other->ndim() == 2 && other->shape(0) == first.shape(0) && other->shape(1) == first.shape(1),
          [&] { return "arrays must have one shape, got " + shape_of(first) + " and " + shape_of(*other); });
    check(!overlap(first, *other), "arrays must not share memory");
  }
  return first.shape(1);
}

/// body(offset of a row's first element), `passes` times for each row; rows in parallel.
template <typename Body>
void for_rows(const py::array& array, Index passes, const Body& body) {
  check(passes >= 0, [&] { return "passes must be at least 0, got " + std::to_string(passes); });
  const Index rows = array.shape(0), columns = array.shape(1);
  const py::gil_scoped_release nogil;
  parallel_for(rows, 1e300, [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row)
      for (Index pass = 0; pass < passes; ++pass) body(row, row * columns);
  });
}

void multiply_add(py::array& values, double factor, double term, Index rounds) {
  with_dtype(dtype_of(values, "values"), [&]<typename T>() {
    T* to = output<T>(values, "values");
    const RoofKernels<T>& roof = kernels().roof.of<T>();
    check(columns_of(values, {}) == roof.sums, [&] {
      return "a row of values must have " + std::to_string(roof.sums) + " elements, got " + shape_of(values);
    });
    check(rounds >= 0, [&] { return "rounds must be at least 0, got " + std::to_string(rounds); });
    for_rows(values, 1, [&](Index, Index offset) {
      roof.multiply_add(to + offset, static_cast<T>(factor), static_cast<T>(term), rounds);
    });
  });
}

void multiply_add_bf16(py::array& values, double factor, Index rounds) {
  float* to = output<float>(values, "values");
  const Bf16Kernels& roof = need_bf16();
  check(columns_of(values, {}) == roof.sums, [&] {
    return "a row of values must have " + std::to_string(roof.sums) + " elements, got " + shape_of(values);
  });
  check(rounds >= 0, [&] { return "rounds must be at least 0, got " + std::to_string(rounds); });
  for_rows(values, 1,
           [&](Index, Index offset) { roof.multiply_add(to + offset, static_cast<float>(factor), rounds); });
}

void sum(const py::array& x, py::array& out, Index passes) {
  with_dtype(dtype_of(x, "x"), [&]<typename T>() {
    const T* from = input<T>(x, "x");
    T* to = output<T>(out, "out");
    const Index columns = columns_of(x, {});
    check(out.size() == x.shape(0), "out must have one element for each row of x");
    const RoofKernels<T>& roof = kernels().roof.of<T>();
    for_rows(x, passes, [&](Index row, Index offset) { to[row] = roof.sum(from + offset, columns); });
  });
}

void triad(py::array& a, const py::array& b, const py::array& c, double factor, Index passes) {
  with_dtype(dtype_of(a, "a"), [&]<typename T>() {
    T* to = output<T>(a, "a");
    const T *left = input<T>(b, "b"), *right = input<T>(c, "c");
    const Index columns = columns_of(a, {&b, &c});
    const RoofKernels<T>& roof = kernels().roof.of<T>();
    for_rows(a, passes, [&](Index, Index at) {
      roof.triad(to + at, left + at, right + at, static_cast<T>(factor), columns);
    });
  });
}

void update(py::array& first, py::array& second, py::array& third, const py::array& g, double factor,
            Index passes) {
  with_dtype(dtype_of(g, "g"), [&]<typename T>() {
    T *one = output<T>(first, "first"), *two = output<T>(second, "second"),
      *three = output<T>(third, "third");
    const T* from = input<T>(g, "g");
    const Index columns = columns_of(first, {&second, &third, &g});
    check(!overlap(second, third) && !overlap(second, g) && !overlap(third, g),
          "arrays must not share memory");
    const RoofKernels<T>& roof = kernels().roof.of<T>();
    for_rows(first, passes, [&](Index, Index at) {
      roof.update(one + at, two + at, three + at, from + at, static_cast<T>(factor), columns);
    });
  });
}

}  // namespace

void bind_roof(py::module_& m) {
  m.def("roof_sums", &sums, py::arg("dtype"), "How many sums roof_multiply_add keeps for each thread.");
  m.def("roof_multiply_add", &multiply_add, py::arg("values"), py::arg("factor"), py::arg("term"),
        py::arg("rounds"), "values = values * factor + term, `rounds` times, in registers.");
  m.def("roof_multiply_add_bf16", &multiply_add_bf16, py::arg("values"), py::arg("factor"), py::arg("rounds"),
        "values = values + factor * 1 + factor * 1, `rounds` times, in registers.");
  m.def("roof_sum", &sum, py::arg("x"), py::arg("out"), py::arg("passes"),
        "out = the sums of the rows of x, `passes` times anew.");
  m.def("roof_triad", &triad, py::arg("a"), py::arg("b"), py::arg("c"), py::arg("factor"), py::arg("passes"),
        "a = b + factor * c, `passes` times anew.");
  m.def("roof_update", &update, py::arg("first"), py::arg("second"), py::arg("third"), py::arg("g"),
        py::arg("factor"), py::arg("passes"), "p = p * factor + g for each p of three, `passes` times.");
}

}  // namespace initcore
