// SpawnLedger: the specs of a stream of spawns that have no answer yet.
//
// Puts what is added into messages, gives them out in their order, and takes the answers in the
// same one; after the connection broke it gives out all that has no answer once more. Bounded.
// No I/O; not thread-safe. Private to //client.

#ifndef GROVE_CLIENT_SPAWN_LEDGER_H_
#define GROVE_CLIENT_SPAWN_LEDGER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "client/spawn_stream.h"
#include "grove/v1/task_service.pb.h"

namespace grove::client {

class SpawnLedger {
 public:
  using Tell = std::function<void(SpawnResult)>;

  // Specs without a request_id get one that begins with `id_prefix`; none if it is empty.
  SpawnLedger(const SpawnStreamOptions& options, std::string id_prefix);

  // Whether Add() may be called.
  bool HasRoom() const {
    return specs_ < options_.unanswered_max && bytes_ < options_.unanswered_bytes_max;
  }
  // Its index, from 0.
  uint64_t Add(v1::TaskSpec spec);

  // Whether there is a message to be sent: one that is not full counts, too.
  bool HasUnsent() const { return sent_ < messages_.size(); }
  // The next one. Stays where it is until it is answered. Requires HasUnsent().
  const v1::SpawnTasksRequest& Send();

  // The answer to the first message that was sent and has none: `tell` gets a result for each of
  // its specs. Not OK: the server is to be asked again from that message on (UNAVAILABLE), or the
  // answer fits nothing (INTERNAL).
  absl::Status Take(v1::SpawnTasksResponse& response, const Tell& tell);
  // The connection broke. Not OK: what was sent cannot be sent again without doubling it.
  absl::Status Rewind();
  // Nothing that is left will be answered.
  void Abandon(const absl::Status& why, const Tell& tell);

  // Specs without an answer.
  size_t specs() const { return specs_; }

 private:
  struct Message {
    v1::SpawnTasksRequest request;
    uint64_t first_index = 0;
    size_t bytes = 0;
    // Each spec has a request_id.
    bool repeatable = true;
  };

  // Of what was refused, what a control that has just begun says of all: it knows no worker yet.
  absl::Status FirstThatMayPass(const v1::SpawnTasksResponse& response) const;
  void Drop();

  const SpawnStreamOptions& options_;
  const std::string id_prefix_;
  std::deque<Message> messages_;
  size_t sent_ = 0;  // of them
  uint64_t next_index_ = 0;
  int64_t next_sequence_ = 1;
  size_t specs_ = 0;
  size_t bytes_ = 0;
};

}  // namespace grove::client

#endif  // GROVE_CLIENT_SPAWN_LEDGER_H_
