// Whether an instruction for products in bfloat16 does here what it should.
#pragma once

#include "kernels/gemm_bf16.h"

namespace initcore {

/// Compares a product with plain arithmetic, and looks whether registers that could be lost are kept, again
/// and again, while this thread and others give their processors up. Takes some hundredths of a second if
/// there are such registers.
bool self_test(const Bf16Kernels& kernels);

}  // namespace initcore
