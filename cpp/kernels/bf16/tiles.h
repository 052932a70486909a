// AMX tiles: eight registers of up to 16 rows of 64 bytes. Intel, Software Developer's Manual, volume 2,
// instructions LDTILECFG to TILEZERO.
//
// By assembler, because GCC 12's intrinsics do not say which memory they read: it then leaves out or moves
// what was to be written there before.
#pragma once

#include "kernels/isa.h"

namespace initcore::INITCORE_ISA {
namespace {

/// What LDTILECFG reads.
struct alignas(64) TileConfig {
  std::uint8_t palette = 0, start_row = 0, reserved[14] = {};
  std::uint16_t bytes[16] = {};  // in a row of each tile
  std::uint8_t rows[16] = {};
};

/// The tiles, as configured while this object lives. Then they are as they were found: without contents, and
/// configured for nobody, or for a library that believes that its own configuration is still there.
class Tiles {
 public:
  explicit Tiles(const TileConfig& config) {
    asm volatile("sttilecfg %0" : "=m"(before_));
    asm volatile("ldtilecfg %0" : : "m"(config) : "memory");
  }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
  ~Tiles() {
    if (before_.palette) {
      asm volatile("ldtilecfg %0" : : "m"(before_) : "memory");
    } else {
      asm volatile("tilerelease" : : : "memory");
    }
  }

  template <int kTile>
  void zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }

  /// Rows that lie `stride` bytes apart.
  template <int kTile>
  void load(const void* from, Index stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  void store(void* to, Index stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(kTile) : "memory");
  }

  /// sum (rows, 16) += a (rows, pairs) b (pairs, 16), where pairs are of bfloat16 numbers.
  template <int kSum, int kA, int kB>
  void multiply_add() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
  }

 private:
  TileConfig before_;
};

}  // namespace
}  // namespace initcore::INITCORE_ISA
