// ExchangeStats: what has become of the messages of a worker's topics.
#ifndef GROVE_SERVER_TOPICS_EXCHANGE_STATS_H_
#define GROVE_SERVER_TOPICS_EXCHANGE_STATS_H_

#include <cstdint>

namespace grove::topics {

struct ExchangeStats {
  uint64_t published = 0;   // by this worker
  uint64_t delivered = 0;   // to this worker's subscribers, each counted
  uint64_t dropped = 0;     // for one of them
  uint64_t unsent = 0;      // to one of the other workers: its socket was full
  uint64_t unreadable = 0;  // came here, and are no messages of this version
};

}  // namespace grove::topics

#endif  // GROVE_SERVER_TOPICS_EXCHANGE_STATS_H_
