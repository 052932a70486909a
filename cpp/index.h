// The type of every size and position. Signed, so that loops may count down and differences are safe.
#pragma once

#include <cstddef>
#include <cstdint>

namespace initcore {

using Index = std::ptrdiff_t;

}  // namespace initcore
