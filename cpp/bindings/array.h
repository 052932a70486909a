// Python arrays as kernel arguments: the right dtype, layout and shape, or an error that says what is wrong.
#pragma once

#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <type_traits>

#include "index.h"

namespace initcore {

namespace py = pybind11;

enum class DType { kFloat32, kFloat64 };

inline std::string shape_of(const py::array& a) { return py::str(a.attr("shape")); }

inline std::string describe(const py::array& a) {
  return std::string(a.flags() & py::array::c_style ? "" : "non-contiguous ") +
         std::string(py::str(a.dtype())) + " " + shape_of(a);
}

/// Whether the elements are of this type. Nearly always it is the very object; a comparison costs more.
template <typename T>
bool holds(const py::array& a) {
  const py::dtype dtype = a.dtype(), wanted = py::dtype::of<T>();
  return dtype.is(wanted) || dtype.equal(wanted);
}

inline DType dtype_of(const py::array& a, const char* name) {
  if (a.dtype().is(py::dtype::of<double>())) return DType::kFloat64;
  if (holds<float>(a)) return DType::kFloat32;
  if (holds<double>(a)) return DType::kFloat64;
  throw py::type_error(std::string(name) + " must be a float32 or float64 array, got " + describe(a));
}

/// Calls f.operator()<float>() or <double>(), as the dtype says.
template <typename F>
decltype(auto) with_dtype(DType dtype, F&& f) {
  return dtype == DType::kFloat32 ? f.template operator()<float>() : f.template operator()<double>();
}

/// The elements of a C-contiguous array of T.
template <typename T>
const T* input(const py::array& a, const char* name) {
  if (!holds<T>(a) || !(a.flags() & py::array::c_style))
    throw py::type_error(std::string(name) + " must be a C-contiguous " +
                         std::string(py::str(py::dtype::of<T>())) + " array, got " + describe(a));
  if (a.size() > 0 && reinterpret_cast<std::uintptr_t>(a.data()) % alignof(T) != 0)
    throw py::type_error(std::string(name) + " must be aligned to its elements, got " + describe(a));
  return static_cast<const T*>(a.data());
}

/// The elements of a writable C-contiguous array of T.
template <typename T>
T* output(py::array& a, const char* name) {
  input<T>(a, name);
  if (!a.writeable()) throw py::value_error(std::string(name) + " must be writable, got a read-only array");
  return static_cast<T*>(a.mutable_data());
}

inline void check(bool holds, const char* message) {
  if (!holds) throw py::value_error(message);
}

/// message() puts the words together, only where they are needed.
template <typename Message>
  requires std::is_invocable_v<Message>
void check(bool holds, const Message& message) {
  if (!holds) throw py::value_error(message());
}

/// An array as a plan's operation sees it: memory that outlives the plan, with rows that may grow with the
/// batch.
struct Operand {
  py::array array;
  Index per_row;  // rows for each example of a batch; 0 if the array is the same for every batch
  void* data;
  Index rows, columns;  // columns: the product of all axes but the first

  Operand(py::array a, Index rows_per_example) : array(std::move(a)), per_row(rows_per_example) {
    check(array.flags() & py::array::c_style,
          [&] { return "operand must be C-contiguous, got " + describe(array); });
    check(array.writeable(), "operand must be writable, got a read-only array");
    data = array.mutable_data();
    rows = array.ndim() == 0 ? 1 : array.shape(0);
    columns = 1;
    for (py::ssize_t axis = 1; axis < array.ndim(); ++axis) columns *= array.shape(axis);
  }

  /// Rows in use when a batch has this many examples.
  Index rows_of(Index batch_rows) const { return per_row ? per_row * batch_rows : rows; }
  Index size_of(Index batch_rows) const { return rows_of(batch_rows) * columns; }

  /// The elements, if they are of this type.
  template <typename T>
  T* as(const char* name) const {
    check(holds<T>(array), [&] {
      return std::string(name) + " must be " + std::string(py::str(py::dtype::of<T>())) + ", got " +
             describe(array);
    });
    check(array.size() == 0 || reinterpret_cast<std::uintptr_t>(data) % alignof(T) == 0,
          [&] { return std::string(name) + " must be aligned to its elements, got " + describe(array); });
    return static_cast<T*>(data);
  }
};

/// Whether two arrays share memory, taken from where each begins and ends.
inline bool overlap(const py::array& a, const py::array& b) {
  const auto begin = [](const py::array& x) { return static_cast<const char*>(x.data()); };
  return a.nbytes() > 0 && b.nbytes() > 0 && begin(a) < begin(b) + b.nbytes() &&
         begin(b) < begin(a) + a.nbytes();
}

}  // namespace initcore
