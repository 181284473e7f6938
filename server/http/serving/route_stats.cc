#include "server/http/serving/route_stats.h"

namespace grove::http {
namespace {

// Routes times methods times codes that are looked up fast; any beyond share the cells of the first
// that was.
constexpr size_t kEntriesMax = 16384;

}  // namespace

const RouteStats::Cells& RouteStats::Look(std::string_view route, const Key& key, size_t method,
                                          int status) {
  auto found = entries_.find(key);
  if (found == entries_.end()) {
    if (entries_.size() >= kEntriesMax) {
      if (beyond_.requests == nullptr) beyond_ = source_({}, method, 0);
      return beyond_;
    }
    found = entries_.emplace(key, std::make_unique<Entry>()).first;
  }
  Entry& entry = *found->second;
  if (entry.cells.requests == nullptr || entry.route != route) {
    entry = {.route = std::string(route), .cells = source_(route, method, status)};
  }
  last_key_ = key;
  last_ = &entry;
  return entry.cells;
}

void RouteStats::Forget() {
  entries_.clear();
  last_key_ = {};
  last_ = nullptr;
}

}  // namespace grove::http
