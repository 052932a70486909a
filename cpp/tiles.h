// AMX tiles are registers that a program has to ask the operating system for.
#pragma once

namespace initcore {

/// Whether the processor has tiles and multiplies bfloat16 numbers in them, the operating system saves them,
/// and, asked for it, grants this process their use.
bool tiles_granted();

}  // namespace initcore
