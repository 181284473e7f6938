// SpawnStream: spawns as many tasks as a program has, one after the other, at the server's pace.
//
// Add() puts tasks into messages, which a thread of its own sends while earlier ones are on their
// way to the disk; it waits while too much has no answer. A connection that breaks is made anew,
// and what has no answer is sent again: no task is doubled, since each has a request_id. Each task
// that was added gets one result, in the order in which they were added.

#ifndef GROVE_CLIENT_SPAWN_STREAM_H_
#define GROVE_CLIENT_SPAWN_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/stop.h"
#include "grove/v1/task_service.pb.h"

namespace grove::client {

struct SpawnResult {
  // Which of the added ones, from 0.
  uint64_t index = 0;
  // Of the task, if it was accepted.
  std::string name;
  // It was there before, and has the unique key.
  bool attached = false;
  // Why it was refused, or why the stream has failed.
  absl::Status status;
  // False: the stream has failed before, and whether there is such a task is not known.
  bool answered = false;
};

struct SpawnStreamOptions {
  std::string parent = "tenants/default";
  // Of one message.
  size_t message_max = 500;
  size_t message_bytes_max = 1 << 20;
  // Without an answer: Add() waits beyond.
  size_t unanswered_max = 50'000;
  size_t unanswered_bytes_max = 32 << 20;
  // Gives a request_id to each spec that has none. Without, the stream fails with its connection
  // where such a spec is on its way.
  bool fill_request_ids = true;
  // A server that answered before and falls silent is tried again for this long.
  absl::Duration outage_max = absl::Minutes(5);
  // Once for every outage: its first error, and the first answer after it.
  std::function<void(const absl::Status&)> on_outage = nullptr;
  std::function<void()> on_back = nullptr;
  // Ends the stream with CANCELLED; may be null.
  Stop* stop = nullptr;
};

class Client;

class SpawnStream {
 public:
  // On a thread of the stream's, one at a time. Must not call the stream.
  using OnResult = std::function<void(SpawnResult result)>;

  // Gives up what has no answer.
  ~SpawnStream();
  SpawnStream(const SpawnStream&) = delete;
  SpawnStream& operator=(const SpawnStream&) = delete;

  // Waits while there is no room. Not OK: why the stream has failed; the spec was not added. Any
  // thread.
  absl::Status Add(v1::TaskSpec spec);
  // Whether Add() would return at once. Any thread.
  bool HasRoom() const;
  // Returns once all that was added has its result. Not OK: why the stream has failed. Nothing may
  // be added after.
  absl::Status Finish();

 private:
  friend class Client;
  struct State;

  explicit SpawnStream(std::unique_ptr<State> state);

  const std::unique_ptr<State> state_;
};

}  // namespace grove::client

#endif  // GROVE_CLIENT_SPAWN_STREAM_H_
