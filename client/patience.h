// Patience: what is left of a wait's time, and of its patience with a silent server.
//
// Private to //client. One thread.

#ifndef GROVE_CLIENT_PATIENCE_H_
#define GROVE_CLIENT_PATIENCE_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/client.h"

namespace grove::client {

class Patience {
 public:
  // `heard`: whether the server ever answered. All must outlive it.
  Patience(const WaitOptions& options, const std::atomic<bool>& heard, grpc::Channel& channel);

  bool over() const;
  // For how long to ask at once. The server's own wait ends first; a slice of 0 would mean "as long
  // as you like".
  absl::Duration Slice() const;

  // Until `over`.
  absl::Duration Left() const;

  void Answered();
  // OK: ask again, after the pause that was made. Otherwise why the wait ends.
  absl::Status Excuse(const absl::Status& failure);

  // Whether there was an outage.
  bool was_out() const { return was_out_; }

 private:
  const WaitOptions& options_;
  const std::atomic<bool>& heard_;
  grpc::Channel& channel_;
  const absl::Duration end_;
  std::optional<absl::Duration> outage_start_;
  bool was_out_ = false;
  // Of the outage that is.
  bool was_told_ = false;
  int false_connects_ = 0;
  absl::Duration pause_;
};

}  // namespace grove::client

#endif  // GROVE_CLIENT_PATIENCE_H_
