// The pool of worker threads. One for the process; no OpenMP runtime.
//
// parallel_for() divides units among the caller and the workers. Whoever finds the pool busy (a second
// Python thread, a nested call) runs its units alone, at once: the result has the same bits. Workers are
// started when first needed; they spin briefly for the next job, then yield, then sleep. A forked child
// starts with an empty pool. If a thread cannot be started, fewer compute.
#pragma once

#include <algorithm>

#include "index.h"

namespace initcore {

/// Called with a range of units [begin, end); ranges of one job are disjoint.
using Task = void (*)(const void* context, Index begin, Index end);

/// task over [0, units) on at most `threads` threads, the caller included.
void parallel_for(Index units, int threads, Task task, const void* context);

/// body(begin, end) over [0, units): on as many threads as `work` (about one per multiply-add or element) is
/// worth. An exception that leaves body is thrown again here, after all ranges have ended.
template <typename Body>
void parallel_for(Index units, double work, const Body& body);

/// How many threads compute, the caller included: what set_num_threads() said, or else allowed_threads().
int num_threads();

/// From the next job on; a job that runs is not disturbed. Workers that could not start, or came late, get
/// another chance. Throws std::invalid_argument unless n >= 1.
void set_num_threads(int n);

/// While one lives, the thread that made it computes its jobs alone, if `wanted`.
class Alone {
 public:
  explicit Alone(bool wanted);
  ~Alone();
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  bool before_;
};

/// Whether this thread does.
bool is_alone();

/// Worker threads that exist now, and whether the system has refused to start another.
struct PoolState {
  int workers;
  bool refused;
};
PoolState pool_state();

/// Called, from the thread that computes, when the system refuses to start a thread: once until the number
/// of threads is set anew.
void on_thread_refused(void (*warn)());

// Work that is worth a thread: below this much, about 10 microseconds of one thread, it costs more than it
// saves.
inline constexpr double kWorkPerThread = 200e3;

// Elements per unit of elementwise work: a multiple of every vector width, so that no split changes which
// elements are a loop's tail.
inline constexpr Index kGrain = 4096;

template <typename Body>
void parallel_for(Index units, double work, const Body& body) {
  if (units <= 0) return;
  if (units == 1 || work < 2 * kWorkPerThread || num_threads() == 1 || is_alone()) {
    body(Index(0), units);
  } else {
    parallel_for(
        units, static_cast<int>(std::min(work / kWorkPerThread, double(num_threads()))),
        [](const void* context, Index begin, Index end) { (*static_cast<const Body*>(context))(begin, end); },
        &body);
  }
}

}  // namespace initcore
