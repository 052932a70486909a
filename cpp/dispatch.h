// Which instruction sets this machine can run, and the one in use.
#pragma once

#include <string>
#include <vector>

#include "kernels.h"
#include "kernels/gemm_bf16.h"

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

/// The product of bfloat16 operands in use, or null where none of its instructions is there or allowed. It
/// is there with the best instruction set of this machine only: who chose a lesser one, chose not to have it.
const Bf16Kernels* bf16_kernels();

/// The same. Throws std::runtime_error if there is none.
const Bf16Kernels& need_bf16();

/// The instructions for it that the library was compiled for, best first, and those that this machine runs.
std::vector<std::string> compiled_bf16();
std::vector<std::string> runnable_bf16();

/// As choose_isa(); "" also where `runnable` is empty, or `wanted` is "off".
std::string choose_bf16(const std::vector<std::string>& runnable, const std::string& wanted);

/// Switches the product of bfloat16 operands, as use_isa() does all others. "" leaves the choice to the first
/// who asks for one: only then are instructions tested, and the system asked for what they need.
void use_bf16(const std::string& name);

}  // namespace initcore
