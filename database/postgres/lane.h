// Lane: one connection of a Pipeline, with what is under way on it.
//
// What is asked in a turn of the hub is sent by one fiber of the lane, one statement right after
// the other: libpq 15 writes with each Sync, and only the first of these writes has to wake the
// server. Another fiber reads for as long as answers are to come; a third sends what the kernel did
// not take at once. They keep the lane alive, and end when its connection does.
#ifndef GROVE_DATABASE_POSTGRES_LANE_H_
#define GROVE_DATABASE_POSTGRES_LANE_H_

#include <deque>
#include <memory>
#include <string>

#include "database/postgres/pipeline.h"
#include "database/postgres/statement_cache.h"
#include "database/postgres/wire.h"
#include "runtime/hub/fiber.h"
#include "runtime/sync/mutex.h"
#include "runtime/sync/semaphore.h"

namespace grove::postgres {

class ParamArrays;

// What the lanes of a pipeline share, for as long as one of them lives.
struct PipelineShared {
  PipelineShared(PipelineOptions its_options, std::unique_ptr<Connector> its_connector)
      : options(std::move(its_options)),
        connector(std::move(its_connector)),
        room(options.depth_max * options.connections) {
    room.ForgetHolders();
  }
  const PipelineOptions options;
  const std::unique_ptr<Connector> connector;
  Semaphore room;
  PipelineStats stats;
};

class Lane : public std::enable_shared_from_this<Lane> {
 public:
  explicit Lane(std::shared_ptr<PipelineShared> shared);

  // Requires: a place of the room was taken, which is given back when the answer is there.
  // **Parks.**
  absl::StatusOr<Result> Query(const std::string& sql, Params params, const QueryOptions& options);
  void ForgetStatement(std::string_view sql, Params params) { statements_.Remove(sql, params); }
  size_t under_way() const { return waiting_.size() + calls_.size(); }
  // Whoever waits gets kAborted.
  void Close();

 private:
  // On the stack of the fiber that asks.
  struct Call {
    const std::string& sql;
    Params params;
    const ParamArrays& arrays;
    const QueryOptions& options;
    Fiber& fiber;  // that waits
    absl::Status failed;
    ResultPtr result;
    bool answered = false;
  };

  absl::Status EnsureConnected();
  bool Send(const Call& call);
  // Starts the fiber that sends.
  absl::Status StartSending();
  // Of the lane's fibers; `wire`: whose it is.
  void SendWaiting(const std::shared_ptr<Wire>& wire);
  absl::Status StartOthers();
  void Leave(const Call& call);
  void Read(const std::shared_ptr<Wire>& wire);
  void FlushRest(const std::shared_ptr<Wire>& wire);
  // All that have come.
  void TakeAnswers();
  void TakeAnswer(ResultPtr result);
  static absl::Status AwaitAnswer(const Call& call);
  static void Answer(Call& call);
  // Everybody who waits is told, and the next call connects.
  void Break(const absl::Status& status);

  const std::shared_ptr<PipelineShared> shared_;
  Mutex connecting_;
  std::shared_ptr<Wire> wire_;  // null: not connected
  StatementCache statements_;
  std::deque<Call*> waiting_;  // to be sent
  std::deque<Call*> calls_;    // in the order of sending; null: its fiber has left
  bool sending_ = false;
  bool reading_ = false;
  bool flushing_ = false;
};

}  // namespace grove::postgres

#endif  // GROVE_DATABASE_POSTGRES_LANE_H_
