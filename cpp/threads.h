// The pool of worker threads. One for the process; no OpenMP runtime.
//
// parallel_for() divides units among the caller and the workers. Whoever finds the pool busy (a second
// Python thread, a nested call) runs its units alone: the result has the same bits. Workers spin briefly
// for the next job, then yield, then sleep. A forked child starts with an empty pool.
#pragma once

#include <memory>
#include <type_traits>

#include "index.h"

namespace initcore {

/// Called with a range of units [begin, end); ranges of one job are disjoint.
using Task = void (*)(const void* context, Index begin, Index end);

void parallel_for(Index units, Task task, const void* context);

/// body(begin, end) over [0, units): on the pool if `work` (about one per multiply-add or element) is worth
/// it. An exception that leaves body is thrown again here, after all ranges have ended.
template <typename Body>
void parallel_for(Index units, double work, const Body& body);

/// How many threads compute, the caller included.
int num_threads();

/// Throws std::invalid_argument unless n >= 1.
void set_num_threads(int n);

// Below this much work a second thread costs more than it saves: about 10 microseconds of one thread.
inline constexpr double kParallelAbove = 400e3;

template <typename Body>
void parallel_for(Index units, double work, const Body& body) {
  if (units <= 0) return;
  if (units == 1 || work < kParallelAbove || num_threads() == 1) {
    body(Index(0), units);
  } else {
    parallel_for(
        units,
        [](const void* context, Index begin, Index end) { (*static_cast<const Body*>(context))(begin, end); },
        &body);
  }
}

}  // namespace initcore
