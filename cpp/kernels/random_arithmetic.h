// Arithmetic that rounds the same on every instruction set and of which loops make vectors: for sources that
// are compiled without fused multiply-add.
#pragma once

#include "kernels/vector.h"

namespace initcore::INITCORE_ISA {

using std::uint32_t;
using std::uint64_t;

/// c[0] + c[1] x + ... by Horner's rule, unrolled.
template <int kFrom = 0, typename T, int kTerms>
INITCORE_INLINE T horner(T x, const T (&c)[kTerms]) {
  if constexpr (kFrom == kTerms - 1) {
    return c[kFrom];
  } else {
    return c[kFrom] + x * horner<kFrom + 1>(x, c);
  }
}

INITCORE_INLINE float square_root(float x) { return __builtin_sqrtf(x); }
INITCORE_INLINE double square_root(double x) { return __builtin_sqrt(x); }

INITCORE_INLINE float to_float(uint32_t x) {  // below 2^31
  return static_cast<float>(static_cast<std::int32_t>(x));
}

// Integers of 64 bits in two halves: few instruction sets convert them.

INITCORE_INLINE double to_float(uint64_t x) {
  const double high = __builtin_bit_cast(double, (x >> 32) | 0x4530000000000000u);         // 2^84 + high 2^32
  const double low = __builtin_bit_cast(double, (x & 0xffffffffu) | 0x4330000000000000u);  // 2^52 + low
  return (high - 0x1.00000001p84) + low;
}

INITCORE_INLINE float from_signed(uint32_t x) { return static_cast<float>(static_cast<std::int32_t>(x)); }

INITCORE_INLINE double from_signed(uint64_t x) {
  const double high = __builtin_bit_cast(double, (x >> 32) ^ 0x4530000080000000u);  // 2^84 + 2^63 + high 2^32
  const double low = __builtin_bit_cast(double, (x & 0xffffffffu) | 0x4330000000000000u);
  return (high - 0x1.00000801p84) + low;  // 2^84 + 2^63 + 2^52
}

}  // namespace initcore::INITCORE_ISA
