// Which instruction sets this machine can run, and the one in use.
#pragma once

#include <string>
#include <vector>

#include "kernels.h"

namespace initcore {

/// The kernels in use. The choice is made at import and changed by use_isa() only.
const Kernels& kernels();

/// Every instruction set the library was compiled for, best first.
std::vector<std::string> compiled_isas();

/// Those of them that this CPU and operating system run, best first.
std::vector<std::string> runnable_isas();

/// `wanted` if it is in `runnable`, the first of `runnable` if `wanted` is empty.
/// Throws std::runtime_error, with a sentence for the user, if there is none or `wanted` is not among them.
std::string choose_isa(const std::vector<std::string>& runnable, const std::string& wanted);

/// Switches all kernels. For tests and benchmarks: the choice belongs to the whole process.
void use_isa(const std::string& name);

}  // namespace initcore
