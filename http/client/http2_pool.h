// Http2Pool: the ways to an origin that may speak HTTP/2: streams of connections that it shares.
//
// A request goes over a connection that has room for a stream; else one is made, if the pool of
// connections has room, else it waits, first come, first served. Of an origin that nobody knows yet
// one request finds out what it speaks, and the others wait for that: else each would connect.
// Where it is HTTP/1.1 each has a connection of its own, of that pool. HTTP/2 connections count in
// it, too; those that are idle make room for others. Hub thread only.
#ifndef GROVE_HTTP_CLIENT_HTTP2_POOL_H_
#define GROVE_HTTP_CLIENT_HTTP2_POOL_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "http/client/connection_pool.h"
#include "http/client/dialer.h"
#include "http/client/http2_connection.h"
#include "runtime/sync/event.h"

namespace grove::http {

struct Http2Stats {
  int64_t connections = 0;  // of PoolStats::open
  int64_t idle = 0;         // without a stream
  int64_t streams = 0;
  size_t waiting = 0;  // of fibers, for a stream or for what the origin speaks
  uint64_t connections_made = 0;
  uint64_t streams_made = 0;
  uint64_t streams_reused = 0;  // of them, over a connection that had served before
};

class Http2Pool {
 public:
  // One of both.
  struct Way {
    std::shared_ptr<Http2Connection> shared;  // a stream of it is reserved
    ConnectionPool::Lease alone;              // over HTTP/1.1
  };
  using Dial = absl::FunctionRef<absl::StatusOr<DialedStream>()>;

  // `connections` must outlive it.
  Http2Pool(ConnectionPool& connections, const Http2Limits& limits, const PoolLimits& pool_limits);
  // Requires: nothing is taken or waited for.
  ~Http2Pool();
  Http2Pool(const Http2Pool&) = delete;
  Http2Pool& operator=(const Http2Pool&) = delete;

  // As ConnectionPool::Take(). **Parks.**
  absl::StatusOr<Way> Take(const std::string& key, Dial dial);
  void CloseIdle();
  // False: none is idle.
  bool CloseLongestIdle();
  Http2Stats stats() const;

 private:
  struct Origin;
  struct Waiter {
    std::shared_ptr<Http2Connection> given;
    bool dials = false;  // it is to make another connection
    Event ready;         // with neither: it is to look again
  };

  Origin& Find(const std::string& key);
  // Forgets it if nobody uses it.
  void Leave(Origin& origin);
  absl::StatusOr<Way> TakeFrom(Origin& origin, Dial dial);
  absl::Status Await(Origin& origin, Waiter& waiter);
  absl::StatusOr<Way> Connect(const std::string& key, Dial dial);
  // Null: none has room.
  static std::shared_ptr<Http2Connection> WithRoom(Origin& origin);
  // Whether a request that found no room may not make a connection now.
  bool MustWait(const Origin& origin) const;
  // Gives those that wait what there is.
  void Serve(Origin& origin);
  static void WakeAll(Origin& origin);
  void Changed(Origin& origin, Http2Connection& connection);
  Http2Connection* LongestIdle() const;

  ConnectionPool& pool_;
  const Http2Limits limits_;
  const PoolLimits pool_limits_;
  absl::flat_hash_map<std::string, std::unique_ptr<Origin>> origins_;
  // Known to speak HTTP/1.1 alone; bounded, and asked anew at each connection.
  absl::flat_hash_set<std::string> http1_only_;
  Http2Stats stats_;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_HTTP2_POOL_H_
