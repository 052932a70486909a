// Operations that move and join arrays: gather, deliver, column_sum, add, multiply.
#include "bindings/bound_plan.h"
#include "dispatch.h"
#include "threads.h"

namespace initcore {

namespace {

/// out (rows, columns) = the batch's rows of the data set in `slot`. Bytes are scaled to [0, 1].
void gather(BoundPlan& plan, const std::string& segment, const std::string& slot, const Operand& out) {
  const Input* source = plan.slot(slot);
  check(out.per_row == 1, "gather fills a buffer with one row per example");
  if (out.array.dtype().equal(py::dtype::of<std::int32_t>())) {
    auto* to = out.as<std::int32_t>("out");
    plan.append(segment, "gather " + slot, {&out}, [=, columns = out.columns](const Batch& batch) {
      const auto* from = source->elements<std::int32_t>(columns);
      if (columns == 1 && batch.order) {  // class numbers: a loop around each would take longer than they do
        for (Index i = 0; i < batch.rows; ++i) to[i] = from[batch.order[batch.first + i]];
        return;
      }
      for (Index i = 0; i < batch.rows; ++i) {
        const Index row = batch.order ? batch.order[batch.first + i] : batch.first + i;
        for (Index j = 0; j < columns; ++j) to[i * columns + j] = from[row * columns + j];
      }
    });
    return;
  }
  with_dtype(dtype_of(out.array, "out"), [&]<typename T>() {
    T* to = out.as<T>("out");
    plan.append(segment, "gather " + slot, {&out}, [=, columns = out.columns](const Batch& batch) {
      const ArrayKernels<T>& k = kernels().arrays.of<T>();
      parallel_for(batch.rows, double(batch.rows * columns), [&](Index begin, Index end) {
        const Examples examples{batch.order, batch.first + begin, end - begin, batch.total};
        T* rows = to + begin * columns;
        if (source->type == Input::Type::kFloat32) {
          k.gather_f32(source->elements<float>(columns), examples, columns, rows);
        } else if (source->type == Input::Type::kFloat64) {
          k.gather_f64(source->elements<double>(columns), examples, columns, rows);
        } else {
          k.gather_u8(source->elements<std::uint8_t>(columns), examples, columns, T(1) / T(255), rows);
        }
      });
    });
  });
}

/// The batch's rows of the array in `slot` = x: the reverse of gather.
void deliver(BoundPlan& plan, const std::string& segment, const std::string& slot, const Operand& x) {
  const Input* target = plan.slot(slot);
  check(x.per_row == 1, "deliver takes a buffer with one row per example");
  with_dtype(dtype_of(x.array, "x"), [&]<typename T>() {
    const T* from = x.as<T>("x");
    plan.append(segment, "deliver " + slot, {&x}, [=, columns = x.columns](const Batch& batch) {
      T* to = target->writable_elements<T>(columns);
      for (Index i = 0; i < batch.rows; ++i) {
        const Index row = batch.order ? batch.order[batch.first + i] : batch.first + i;
        std::copy_n(from + i * columns, columns, to + row * columns);
      }
    });
  });
}

void column_sum(BoundPlan& plan, const std::string& segment, const Operand& x, const Operand& out) {
  with_dtype(dtype_of(x.array, "x"), [&]<typename T>() {
    const T* from = x.as<T>("x");
    T* to = out.as<T>("out");
    check(out.array.size() == x.columns, "out must have one element per column of x");
    plan.append(segment, "column_sum", {&x, &out}, [=, count = x](const Batch& batch) {
      const Index n = count.rows_of(batch.rows), columns = count.columns;
      constexpr Index kColumns = 64;
      parallel_for((columns + kColumns - 1) / kColumns, double(n * columns), [&](Index begin, Index end) {
        kernels().arrays.of<T>().column_sum(from, n, columns, begin * kColumns,
                                            std::min(columns, end * kColumns), to);
      });
    });
  });
}

/// y = a op b, elementwise.
template <auto kAdd>
void join(BoundPlan& plan, const std::string& segment, const Operand& a, const Operand& b, const Operand& y) {
  with_dtype(dtype_of(a.array, "a"), [&]<typename T>() {
    const T *a_data = a.as<T>("a"), *b_data = b.as<T>("b");
    T* to = y.as<T>("y");
    check(a.rows == y.rows && a.columns == y.columns && b.rows == y.rows && b.columns == y.columns, [&] {
      return "a, b and y must have the same shape, got " + shape_of(a.array) + ", " + shape_of(b.array) +
             " and " + shape_of(y.array);
    });
    plan.append(segment, kAdd ? "add" : "multiply", {&a, &b, &y}, [=, count = y](const Batch& batch) {
      const ArrayKernels<T>& k = kernels().arrays.of<T>();
      const Index n = count.size_of(batch.rows);
      parallel_for((n + kGrain - 1) / kGrain, double(n), [&](Index begin, Index end) {
        const Index from = begin * kGrain, size = std::min(n, end * kGrain) - from;
        (kAdd ? k.add : k.multiply)(a_data + from, b_data + from, to + from, size);
      });
    });
  });
}

}  // namespace

void bind_arrays(py::module_& m) {
  plan_class(m)
      .def("gather", &gather, py::arg("segment"), py::arg("slot"), py::arg("out"))
      .def("deliver", &deliver, py::arg("segment"), py::arg("slot"), py::arg("x"))
      .def("column_sum", &column_sum, py::arg("segment"), py::arg("x"), py::arg("out"))
      .def("add", &join<true>, py::arg("segment"), py::arg("a"), py::arg("b"), py::arg("y"))
      .def("multiply", &join<false>, py::arg("segment"), py::arg("a"), py::arg("b"), py::arg("y"));
}

}  // namespace initcore
