// How many threads the surroundings allow: processors, affinity mask, container quota, environment.
//
// To honour another limit: a field, a line in cpu_limits() that finds it, a line in allowed_threads().
#pragma once

#include <limits>
#include <string>

namespace initcore {

struct CpuLimits {
  int hardware = 1;  // processors of this machine
  int affinity = 1;  // processors that this process may run on
  double quota =
      std::numeric_limits<double>::infinity();  // processors' worth of time its control groups grant
  int environment = 0;  // threads asked for by INITCORE_NUM_THREADS, or else OMP_NUM_THREADS; 0: none
};

/// The limits now. root: a folder to find /proc and /sys in; "" is this machine.
/// Throws std::invalid_argument if INITCORE_NUM_THREADS is set, but not to a whole number of at least 1.
CpuLimits cpu_limits(const std::string& root = "");

/// The smallest of the limits, at least 1. A quota is rounded up: the kernel shares out what is left.
int allowed_threads(const CpuLimits& limits);

}  // namespace initcore
