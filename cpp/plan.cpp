// The executor: walks the operations of the chosen segments, batch after batch.
#include "plan.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace initcore {

void Plan::start(const std::vector<std::string>& segments, Index rows, const std::int64_t* order,
                 const double* learning_rates, std::int64_t step) {
  operations_.clear();
  for (const std::string& name : segments)
    if (const auto found = segments_.find(name); found != segments_.end())
      for (const Operation& operation : found->second) operations_.push_back(&operation);
  rows_ = rows;
  order_ = order;
  learning_rates_ = learning_rates;
  step_ = step;
  batch_ = 0;
  next_ = 0;
}

Index Plan::advance(Index batches, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto deadline =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  const Index stop = std::min(total(), batch_ + batches);
  while (batch_ < stop) {
    const Index first = batch_ * batch_size_;
    const Batch batch{.rows = std::min(batch_size_, rows_ - first),
                      .first = first,
                      .order = order_,
                      .step = step_ + batch_,
                      .learning_rate = learning_rates_ ? learning_rates_[batch_] : 0};
    // The clock is asked once a batch, and in between only where the batch is large enough not to notice.
    const bool patient = batch.rows < 256;
    while (next_ < operations_.size()) {
      operations_[next_++]->run(batch);
      if (!patient && next_ < operations_.size() && Clock::now() >= deadline) return batch_;
    }
    next_ = 0;
    ++batch_;
    if (Clock::now() >= deadline) break;
  }
  return batch_;
}

}  // namespace initcore
