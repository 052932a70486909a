// Tensors that other libraries lend through DLPack, as arrays of whole numbers of the same width: for
// elements of types that NumPy does not know, such as bfloat16. https://dmlc.github.io/dlpack/latest/
#include <cstdint>
#include <cstring>
#include <vector>

#include "bindings/array.h"

namespace initcore {

namespace {

// The structures of DLPack 1, as it fixes them.

struct DlDevice {
  std::int32_t type, id;
};

struct DlType {
  std::uint8_t code, bits;
  std::uint16_t lanes;
};

struct DlTensor {
  void* data;
  DlDevice device;
  std::int32_t ndim;
  DlType dtype;
  std::int64_t *shape, *strides;
  std::uint64_t byte_offset;
};

struct DlManaged {
  std::uint32_t major, minor;
  void* context;
  void (*deleter)(DlManaged*);
  std::uint64_t flags;
  DlTensor tensor;
};

constexpr const char *kLent = "dltensor_versioned", *kTaken = "used_dltensor_versioned";
constexpr std::int32_t kCpu = 1;
constexpr std::uint64_t kReadOnly = 1;

/// The tensor's memory, which lives as long as the array does, and the code of its type.
std::pair<py::array, int> from_dlpack(const py::capsule& capsule) {
  if (!PyCapsule_IsValid(capsule.ptr(), kLent))
    throw py::type_error("a tensor is lent in a capsule of DLPack 1, once");
  auto* managed = static_cast<DlManaged*>(PyCapsule_GetPointer(capsule.ptr(), kLent));
  const DlTensor& tensor = managed->tensor;
  if (managed->major != 1) throw py::type_error("a tensor is lent in a capsule of DLPack 1");
  if (tensor.device.type != kCpu) throw py::type_error("only the memory of a tensor on the CPU can be lent");
  if (tensor.dtype.lanes != 1 || tensor.dtype.bits % 8 != 0)
    throw py::type_error("only tensors of single elements of whole bytes can be lent");
  const py::ssize_t width = tensor.dtype.bits / 8;
  std::vector<py::ssize_t> shape(tensor.shape, tensor.shape + tensor.ndim), strides(shape.size());
  py::ssize_t step = width;
  for (std::size_t i = shape.size(); i-- > 0; step *= shape[i])
    strides[i] = tensor.strides ? tensor.strides[i] * width : step;
  PyCapsule_SetName(capsule.ptr(), kTaken);
  const py::capsule owner(managed, [](void* taken) {
    auto* mine = static_cast<DlManaged*>(taken);
    if (mine->deleter) mine->deleter(mine);
  });
  py::array array(py::dtype("u" + std::to_string(width)), shape, strides,
                  static_cast<char*>(tensor.data) + tensor.byte_offset, owner);
  if (managed->flags & kReadOnly) array.attr("setflags")(py::arg("write") = false);
  return {array, tensor.dtype.code};
}

}  // namespace

void bind_dlpack(py::module_& m) { m.def("from_dlpack", &from_dlpack, py::arg("capsule")); }

}  // namespace initcore
