// The executor: walks the operations of the chosen segments, batch after batch.
#include "plan.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

#include "threads.h"

namespace initcore {

void Plan::start(const std::vector<std::string>& segments, Index rows,
                 const std::map<std::string, Input>& inputs, const std::int64_t* order,
                 const double* learning_rates, std::int64_t step) {
  for (auto& [name, input] : inputs_) input = {};
  for (const auto& [name, input] : inputs) inputs_[name] = input;
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
  part_ = 0;
}

Index Plan::advance(Index batches, double seconds) {
  using Clock = std::chrono::steady_clock;
  const std::chrono::duration<double> patience(seconds > 0 ? std::min(seconds, 1e6) : 0);  // fits a clock
  auto now = Clock::now();
  const auto deadline = now + std::chrono::duration_cast<Clock::duration>(patience);
  const Index stop = batch_ + std::min(total() - batch_, batches);
  while (batch_ < stop) {
    const Index first = batch_ * batch_size_;
    Batch batch{.rows = std::min(batch_size_, rows_ - first),
                .first = first,
                .total = rows_,
                .order = order_,
                .step = step_ + batch_,
                .learning_rate = learning_rates_ ? learning_rates_[batch_] : 0};
    // The clock is asked once a batch, and in between only where the work is large enough not to notice.
    const bool many_rows = batch.rows >= 256;
    const bool whole = next_ == 0 && part_ == 0 && batch.rows == batch_size_ && num_threads() > 1;
    const Alone alone(whole && trial_.alone());
    while (next_ < operations_.size()) {
      const Operation& operation = *operations_[next_];
      batch.part = part_;
      operation.run(batch);
      if (++part_ == operation.parts) part_ = 0, ++next_;
      const bool ask = many_rows || operation.parts > 1;
      if (ask && next_ < operations_.size() && Clock::now() >= deadline) return batch_;
    }
    next_ = 0;
    ++batch_;
    const auto before = std::exchange(now, Clock::now());
    if (whole) trial_.note(std::chrono::duration<double>(now - before).count());
    if (now >= deadline) break;
  }
  return batch_;
}

}  // namespace initcore
