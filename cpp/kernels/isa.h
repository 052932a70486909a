// What a kernel may know about the instruction set it is compiled for. Every kernel source includes this
// and puts its code into `namespace initcore::INITCORE_ISA`, so that no copy can be linked for another.
#pragma once

#include "index.h"

#ifndef INITCORE_ISA
#error "kernel sources are compiled once per instruction set, with INITCORE_ISA naming it"
#endif

namespace initcore::INITCORE_ISA {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
inline constexpr int kRegisters = 32;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
inline constexpr int kRegisters = 16;
#elif defined(__aarch64__)
inline constexpr int kVectorBytes = 16;
inline constexpr int kRegisters = 32;
#else
inline constexpr int kVectorBytes = 16;
inline constexpr int kRegisters = 16;
#endif

/// Whether a product and a sum are one operation, rounded once.
#if defined(__FMA__) || defined(__aarch64__)
inline constexpr bool kFused = true;
#else
inline constexpr bool kFused = false;
#endif

/// Elements of T in one vector register.
template <typename T>
inline constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

template <typename T>
constexpr T min(T a, T b) {
  return a < b ? a : b;
}

template <typename T>
constexpr T max(T a, T b) {
  return a > b ? a : b;
}

}  // namespace initcore::INITCORE_ISA
