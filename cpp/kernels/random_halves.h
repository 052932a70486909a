// Rounding to the floating-point numbers of 16 bits, to the nearest, ties to even: bits from bits, since few
// instruction sets know these formats.
#pragma once

#include "kernels/random_arithmetic.h"

namespace initcore::INITCORE_ISA {

/// Infinity and NaN stay what they are; what is too large becomes infinite.
INITCORE_INLINE std::uint16_t to_bfloat16(float x) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, x);
  const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  return static_cast<std::uint16_t>((bits & 0x7fffffff) > 0x7f800000 ? bits >> 16 | 0x40 : rounded);
}

INITCORE_INLINE std::uint16_t to_float16(float x) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, x), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
  // The exponent in its new place, 112 less; a carry of the fraction goes there by itself.
  const uint32_t normal = (size + 0xfff + (size >> 13 & 1) - 0x38000000) >> 13;
  // Below 2^-14 there are multiples of 2^-24: adding 1/2 makes them the last bits.
  const uint32_t subnormal = __builtin_bit_cast(uint32_t, __builtin_bit_cast(float, size) + 0.5f) & 0xffff;
  const uint32_t finite = size < 0x38800000 ? subnormal : normal;
  const uint32_t infinite = size > 0x7f800000 ? 0x7e00 : 0x7c00;
  return static_cast<std::uint16_t>(sign | (size >= 0x477ff000 ? infinite : finite));
}

}  // namespace initcore::INITCORE_ISA
