// The pool of worker threads. (A first, serial version: the pool itself follows.)
#include "threads.h"

#include <stdexcept>

namespace initcore {

void parallel_for(Index units, Task task, const void* context) { task(context, 0, units); }

int num_threads() { return 1; }

void set_num_threads(int n) {
  if (n < 1) throw std::invalid_argument("number of threads must be at least 1, got " + std::to_string(n));
}

}  // namespace initcore
