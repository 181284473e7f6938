// Services: what all connections of a Connector share, for as long as one of them lives.
#ifndef GROVE_DATABASE_POSTGRES_SERVICES_H_
#define GROVE_DATABASE_POSTGRES_SERVICES_H_

#include <cstdint>
#include <memory>

#include "runtime/dns/resolver.h"
#include "runtime/offload/offload.h"

namespace grove::postgres {

// Counters since the Connector was made; levels where the name says so.
struct Stats {
  int64_t connections = 0;  // open now
  uint64_t connects = 0;
  uint64_t connect_failures = 0;
  uint64_t statements = 0;
  uint64_t failures = 0;   // of statements, as the server said
  uint64_t prepared = 0;   // statements that a connection had not met before
  uint64_t abandoned = 0;  // connections closed, since a fiber left in the middle of something
  uint64_t cancels = 0;    // asked for at the server
  uint64_t retries = 0;    // of transactions
};

struct Services {
  // PQcancel() blocks: it connects, writes and waits for the end.
  static constexpr int kCancelThreads = 2;

  std::unique_ptr<Resolver> resolver;
  OffloadPool offload{OffloadPool::Options{.threads = kCancelThreads}};
  Stats stats;
};

}  // namespace grove::postgres

#endif  // GROVE_DATABASE_POSTGRES_SERVICES_H_
