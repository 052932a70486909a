// A list of types.
#pragma once

#include "kernels/isa.h"

namespace initcore::INITCORE_ISA {

template <typename... Types>
struct TypeList {
  static constexpr Index kCount = sizeof...(Types);
};

}  // namespace initcore::INITCORE_ISA
