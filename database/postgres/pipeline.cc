#include "database/postgres/pipeline.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "database/postgres/lane.h"
#include "database/postgres/sender.h"

namespace grove::postgres {

absl::StatusOr<std::unique_ptr<Pipeline>> Pipeline::Create(PipelineOptions options) {
  if (options.connection.hosts.empty()) {
    return absl::InvalidArgumentError("a PostgreSQL pipeline: no host is named");
  }
  if (options.connections < 1 || options.depth_max < 1) {
    return absl::InvalidArgumentError(
        absl::StrFormat("a PostgreSQL pipeline of %d connections with %d statements each: at least "
                        "one of both",
                        options.connections, options.depth_max));
  }
  absl::StatusOr<std::unique_ptr<Connector>> connector = Connector::Create();
  if (!connector.ok()) return connector.status();
  return std::unique_ptr<Pipeline>(
      new Pipeline(std::make_shared<PipelineShared>(std::move(options), *std::move(connector))));
}

Pipeline::Pipeline(std::shared_ptr<PipelineShared> shared) : shared_(std::move(shared)) {
  for (int i = 0; i < shared_->options.connections; ++i) {
    lanes_.push_back(std::make_shared<Lane>(shared_));
  }
}

Pipeline::~Pipeline() {
  for (const std::shared_ptr<Lane>& lane : lanes_) lane->Close();
}

Lane& Pipeline::LeastLoaded() {
  // From one further on each time, so that lanes with as much to do take turns.
  std::shared_ptr<Lane>* least = nullptr;
  next_ = (next_ + 1) % lanes_.size();
  for (size_t i = 0; i < lanes_.size(); ++i) {
    std::shared_ptr<Lane>& lane = lanes_[(next_ + i) % lanes_.size()];
    if (least == nullptr || lane->under_way() < (*least)->under_way()) least = &lane;
    if ((*least)->under_way() == 0) break;
  }
  return **least;
}

absl::StatusOr<Result> Pipeline::Query(std::string_view sql, Params params,
                                       const QueryOptions& options) {
  const std::string text(sql);
  if (absl::Status room = shared_->room.Acquire(); !room.ok()) return room;
  Lane& lane = LeastLoaded();
  absl::StatusOr<Result> result = lane.Query(text, params, options);
  if (result.ok() || !IsStale(result.status())) return result;
  lane.ForgetStatement(text, params);
  if (absl::Status room = shared_->room.Acquire(); !room.ok()) return room;
  return lane.Query(text, params, options);
}

absl::StatusOr<int64_t> Pipeline::Execute(std::string_view sql, Params params,
                                          const QueryOptions& options) {
  absl::StatusOr<Result> result = Query(sql, params, options);
  if (!result.ok()) return result.status();
  return result->rows_affected();
}

PipelineStats Pipeline::stats() const {
  PipelineStats stats = shared_->stats;
  for (const std::shared_ptr<Lane>& lane : lanes_) {
    stats.under_way += static_cast<int64_t>(lane->under_way());
  }
  stats.waiting = shared_->room.waiting();
  return stats;
}

const Stats& Pipeline::connector_stats() const {
  return shared_->connector->stats();
}

}  // namespace grove::postgres
