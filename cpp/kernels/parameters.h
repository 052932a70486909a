// Contract: the parameters of an activation or a loss, such as leaky_relu's negative_slope.
#pragma once

namespace initcore {

/// At most this many parameters, such as leaky_relu's negative_slope.
inline constexpr int kMaxParameters = 2;

struct Parameter {
  const char* name = nullptr;  // null past the last one
  double value = 0;            // the default
  double low = -1e308;         // the least that makes sense
  bool above = false;          // must lie above low, not on it
};

}  // namespace initcore
