#include "client/spawn_ledger.h"

#include <utility>

#include "client/status_details.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client {
namespace {

// A message as a whole that the server could not look at now, or whose tasks the disk has not
// confirmed.
bool MayPass(const absl::Status& refused) {
  return absl::IsUnavailable(refused) && RetryDelayOf(refused).has_value();
}

}  // namespace

SpawnLedger::SpawnLedger(const SpawnStreamOptions& options, std::string id_prefix)
    : options_(options), id_prefix_(std::move(id_prefix)) {}

uint64_t SpawnLedger::Add(v1::TaskSpec spec) {
  const uint64_t index = next_index_++;
  if (spec.request_id().empty() && !id_prefix_.empty()) {
    spec.set_request_id(StrCat(id_prefix_, index));
  }
  const size_t bytes = spec.ByteSizeLong();
  const bool joins =
      HasUnsent() &&
      static_cast<size_t>(messages_.back().request.specs_size()) < options_.message_max &&
      messages_.back().bytes + bytes <= options_.message_bytes_max;
  if (!joins) {
    Message& message = messages_.emplace_back();
    message.first_index = index;
    message.request.set_parent(options_.parent);
    message.request.set_sequence(next_sequence_++);
  }
  Message& message = messages_.back();
  message.repeatable = message.repeatable && !spec.request_id().empty();
  message.bytes += bytes;
  *message.request.add_specs() = std::move(spec);
  ++specs_;
  bytes_ += bytes;
  return index;
}

const v1::SpawnTasksRequest& SpawnLedger::Send() {
  return messages_[sent_++].request;
}

absl::Status SpawnLedger::FirstThatMayPass(const v1::SpawnTasksResponse& response) const {
  if (!messages_.front().repeatable) return absl::OkStatus();
  for (const auto& result : response.results()) {
    if (!result.has_error()) continue;
    absl::Status refused = ToAbslStatus(result.error());
    if (MayPass(refused)) return refused;
  }
  return absl::OkStatus();
}

void SpawnLedger::Drop() {
  const Message& first = messages_.front();
  specs_ -= static_cast<size_t>(first.request.specs_size());
  bytes_ -= first.bytes;
  messages_.pop_front();
  if (sent_ > 0) --sent_;
}

absl::Status SpawnLedger::Take(v1::SpawnTasksResponse& response, const Tell& tell) {
  if (sent_ == 0 || messages_.front().request.sequence() != response.sequence()) {
    return absl::InternalError("the server answered a message that it was not sent");
  }
  const uint64_t first = messages_.front().first_index;
  const int specs = messages_.front().request.specs_size();
  if (response.has_error()) {
    absl::Status refused = ToAbslStatus(response.error());
    if (MayPass(refused)) return refused;
    Drop();
    for (int i = 0; i < specs; ++i) tell({.index = first + i, .status = refused, .answered = true});
    return absl::OkStatus();
  }
  if (response.results_size() != specs) {
    return absl::InternalError(StrCat("the server answered ", response.results_size(), " of ",
                                      specs, " tasks of a message"));
  }
  // What was accepted beside it is found again by its request_id.
  if (absl::Status later = FirstThatMayPass(response); !later.ok()) return later;
  Drop();
  for (int i = 0; i < specs; ++i) {
    auto& result = *response.mutable_results(i);
    SpawnResult told{.index = first + i, .attached = result.attached(), .answered = true};
    if (result.has_error()) {
      told.status = ToAbslStatus(result.error());
    } else {
      told.name = std::move(*result.mutable_name());
    }
    tell(std::move(told));
  }
  return absl::OkStatus();
}

absl::Status SpawnLedger::Rewind() {
  for (size_t i = 0; i < sent_; ++i) {
    if (messages_[i].repeatable) continue;
    return absl::UnavailableError(
        "the connection broke, and tasks without a request_id would be doubled if they were sent "
        "again");
  }
  sent_ = 0;
  return absl::OkStatus();
}

void SpawnLedger::Abandon(const absl::Status& why, const Tell& tell) {
  while (!messages_.empty()) {
    const uint64_t first = messages_.front().first_index;
    const int specs = messages_.front().request.specs_size();
    Drop();
    for (int i = 0; i < specs; ++i) tell({.index = first + i, .status = why});
  }
}

}  // namespace grove::client
