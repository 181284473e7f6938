// FakeStreams: streams of spawns and watches of a fake server, which break when they are told to.

#ifndef GROVE_CLIENT_FAKE_STREAMS_H_
#define GROVE_CLIENT_FAKE_STREAMS_H_

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "google/rpc/status.pb.h"
#include "grove/v1/task_service.grpc.pb.h"

namespace grove::client {

class FakeStreams {
 public:
  using Spawns = grpc::ServerReaderWriter<v1::SpawnTasksResponse, v1::SpawnTasksRequest>;
  using Admit = std::function<void(const std::string& parent, const v1::TaskSpec& spec,
                                   v1::BatchSpawnTasksResponse::Result& result)>;

  // --- What tests say

  // The next streams of spawns end as if the connection had, each after it has admitted so many
  // messages, the last of them without an answer.
  void BreakSpawns(int streams, int messages);
  // The next streams of spawns say, to their first message, that the daemon drains.
  void DrainSpawns(int streams);
  // Streams of spawns answer nothing until LetGo().
  void HoldSpawns();
  void LetGo();
  // The next watches end as if the connection had, after their first message.
  void BreakWatches(int count);
  // The next spawns and batches of spawns are refused for now.
  void BeBusy(int count);
  // Messages that streams of spawns took, in all.
  int messages() const;
  // The resume tokens that watches came with.
  std::vector<std::string> resume_tokens() const;

  // --- What the services ask

  grpc::Status Spawn(Spawns& stream, const Admit& admit);
  // All tasks, if they are asked for; nothing after. The token counts the watches.
  grpc::Status Watch(grpc::ServerContext& context, const v1::WatchTasksRequest& request,
                     const std::vector<v1::Task>& tasks,
                     grpc::ServerWriter<v1::WatchTasksResponse>& stream);
  bool IsBusy();
  static google::rpc::Status Busy();
  // Until the client has gone, or the server ends.
  static void AwaitEnd(const grpc::ServerContext& context);

 private:
  bool Drains();

  mutable std::mutex mutex_;
  std::condition_variable released_;
  int breaks_ = 0;
  int break_after_ = 0;
  int drains_ = 0;
  bool held_ = false;
  int watch_breaks_ = 0;
  int busy_ = 0;
  int messages_ = 0;
  std::vector<std::string> tokens_;
};

}  // namespace grove::client

#endif  // GROVE_CLIENT_FAKE_STREAMS_H_
