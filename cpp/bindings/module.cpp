// The compiled module: a table of contents.
#include <cstdlib>

#include "bindings/array.h"
#include "dispatch.h"

namespace initcore {

void bind_threads(py::module_& m);
void bind_plan(py::module_& m);
void bind_activations(py::module_& m);
void bind_arrays(py::module_& m);
void bind_dlpack(py::module_& m);
void bind_functions(py::module_& m);
void bind_gemm(py::module_& m);
void bind_losses(py::module_& m);
void bind_metrics(py::module_& m);
void bind_moments(py::module_& m);
void bind_normalization(py::module_& m);
void bind_optimizers(py::module_& m);
void bind_random(py::module_& m);
void bind_random_orthogonal(py::module_& m);
void bind_roof(py::module_& m);
void bind_row_activations(py::module_& m);

namespace {

py::dict build() {
  py::dict info;
#include "build_info.inc"
  info["compiler"] =
#ifdef __clang__
      "Clang " __clang_version__;
#else
      "GCC " __VERSION__;
#endif
  return info;
}

}  // namespace

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
  m.doc() = "The compiled part of initcore. Private: its functions check form, not meaning.";
  const auto wanted = [](const char* variable) -> std::string {
    const char* value = std::getenv(variable);
    return value ? value : "";
  };
  try {
    use_isa(wanted("INITCORE_ISA"));
    use_bf16(wanted("INITCORE_BF16"));
  } catch (const std::exception& error) {
    throw py::import_error(error.what());
  }
  m.attr("__version__") = build()["version"];
  m.def("build", &build, "How this module was compiled.");
  m.def("isas", &runnable_isas, "Instruction sets that this machine runs, best first.");
  m.def("compiled_isas", &compiled_isas, "Instruction sets that the module was compiled for, best first.");
  m.def("active_isa", [] { return std::string(kernels().isa); }, "The instruction set in use.");
  m.def("choose_isa", &choose_isa, py::arg("runnable"), py::arg("wanted"));
  m.def("use_isa", &use_isa, py::arg("name"), "Switches the whole process. For tests and benchmarks.");
  m.def("bf16", &runnable_bf16, "Instructions for products in bfloat16 that this machine runs, best first.");
  m.def("compiled_bf16", &compiled_bf16, "Those that the module was compiled for, best first.");
  m.def(
      "active_bf16", [] { return std::string(bf16_kernels() ? bf16_kernels()->name : ""); },
      "The one in use, or nothing.");
  m.def("choose_bf16", &choose_bf16, py::arg("runnable"), py::arg("wanted"));
  m.def("use_bf16", &use_bf16, py::arg("name"), "Switches the whole process. For tests and benchmarks.");
  bind_threads(m);
  bind_plan(m);
  bind_activations(m);
  bind_arrays(m);
  bind_dlpack(m);
  bind_functions(m);
  bind_gemm(m);
  bind_losses(m);
  bind_metrics(m);
  bind_moments(m);
  bind_normalization(m);
  bind_optimizers(m);
  bind_random(m);
  bind_random_orthogonal(m);
  bind_roof(m);
  bind_row_activations(m);
}

}  // namespace initcore
