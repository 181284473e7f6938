// Pipeline: statements of many fibers on a few shared connections, each a transaction of its own.
//
// A statement is sent while those before it are still under way, so that no connection waits for
// its network: many more fibers ask at once than there are connections, and one read brings the
// answers of all that the server has answered meanwhile, whose fibers wake together. Statements of
// one connection are carried out one after the other: what takes long holds up those behind it, and
// belongs into a Pool, as does whatever needs a session (transactions, SET, LISTEN, COPY).
// A fiber that is cancelled or timed out leaves; its statement runs all the same.
// Hub thread only.
#ifndef GROVE_DATABASE_POSTGRES_PIPELINE_H_
#define GROVE_DATABASE_POSTGRES_PIPELINE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "database/postgres/connection.h"
#include "database/postgres/connector.h"

namespace grove::postgres {

class Lane;
struct PipelineShared;

struct PipelineOptions {
  ConnectionOptions connection;
  int connections = 4;
  // Under way on one connection; who comes then waits, first come, first served.
  int64_t depth_max = 128;
};

struct PipelineStats {
  uint64_t statements = 0;
  uint64_t reads = 0;   // each of which brought answers of one or more
  uint64_t left = 0;    // statements whose fibers did not wait for the answer
  uint64_t broken = 0;  // connections that ended
  int64_t under_way = 0;
  size_t waiting = 0;  // for room
};

class Pipeline {
 public:
  // kInvalidArgument: what is wrong with the options. Connects nobody.
  static absl::StatusOr<std::unique_ptr<Pipeline>> Create(PipelineOptions options);
  // Closes its connections. Requires: no call is under way.
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // Statuses of Connection, and of Connector::Connect() if a connection had to be made.
  // kUnavailable after it was sent: it may have run. result_bytes_max holds for a result that is
  // whole.
  // **Parks.**
  absl::StatusOr<Result> Query(std::string_view sql, Params params = {},
                               const QueryOptions& options = {});
  absl::StatusOr<int64_t> Execute(std::string_view sql, Params params = {},
                                  const QueryOptions& options = {});

  PipelineStats stats() const;
  const Stats& connector_stats() const;

 private:
  explicit Pipeline(std::shared_ptr<PipelineShared> shared);
  Lane& LeastLoaded();

  const std::shared_ptr<PipelineShared> shared_;
  std::vector<std::shared_ptr<Lane>> lanes_;
  size_t next_ = 0;
};

}  // namespace grove::postgres

#endif  // GROVE_DATABASE_POSTGRES_PIPELINE_H_
