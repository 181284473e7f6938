#include "server/control/outbox.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace grove::control {

absl::Status Outbox::Put(internal::v1::ControlFrame frame) {
  const size_t bytes = frame.ByteSizeLong();
  if (bytes_ + bytes > bytes_max_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the worker takes nothing: ", bytes_, " bytes wait"));
  }
  bytes_ += bytes;
  if (!frames_.empty() && frames_.back().bytes + bytes <= merged_bytes_max_) {
    frames_.back().frame.MergeFrom(frame);
    frames_.back().bytes += bytes;
  } else {
    frames_.push_back({std::move(frame), bytes});
  }
  written_.Reset();
  filled_.Set();
  return absl::OkStatus();
}

absl::StatusOr<std::string> Outbox::Next() {
  bytes_ -= std::exchange(given_out_bytes_, 0);
  while (frames_.empty()) {
    written_.Set();
    filled_.Reset();
    if (absl::Status status = filled_.Wait(); !status.ok()) return status;
  }
  const Waiting next = std::move(frames_.front());
  frames_.pop_front();
  given_out_bytes_ = next.bytes;
  return next.frame.SerializeAsString();
}

void Outbox::Clear() {
  frames_.clear();
  bytes_ = given_out_bytes_ = 0;
  written_.Set();
}

}  // namespace grove::control
