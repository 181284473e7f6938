#include "server/functions/feed_titles.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "runtime/group/fiber_pool.h"
#include "runtime/hub/hub.h"
#include "server/functions/feed.h"
#include "server/functions/fetch.h"

// After hub.h, which its templates need.
#include "runtime/group/fiber_pile.h"

namespace grove::functions {
namespace {

using TakeTitle = absl::FunctionRef<absl::Status(size_t, absl::StatusOr<std::string>)>;

absl::Status SpawnAndTake(FetchClient& client, const std::vector<std::string>& urls,
                          FiberPool& pool, TakeTitle take) {
  FiberPile<std::string> pile(pool);
  for (const std::string& url : urls) {
    absl::Status spawned =
        pile.Spawn({.name = "feed-title"}, [&client, &url] { return FetchFeedTitle(client, url); });
    if (!spawned.ok()) return spawned;
  }
  for (size_t i = 0; i < urls.size(); ++i) {
    bool waited = true;
    absl::StatusOr<std::string> title = pile.Next(&waited);
    if (!waited) return title.status();
    if (absl::Status taken = take(i, std::move(title)); !taken.ok()) return taken;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> FetchFeedTitle(FetchClient& client, const std::string& url) {
  const absl::StatusOr<FetchResult> fetched = client.Fetch({.url = url});
  if (!fetched.ok()) return fetched.status();
  if (fetched->status < 200 || fetched->status >= 300) {
    return absl::UnavailableError(absl::StrFormat("the server answered HTTP %d", fetched->status));
  }
  return FeedTitle(fetched->body);
}

absl::Status ForEachFeedTitle(FetchClient& client, const std::vector<std::string>& urls,
                              TakeTitle take) {
  // A fiber each: those beyond fetch.concurrency_max wait for their turn in the client.
  FiberPool pool(static_cast<int64_t>(std::max<size_t>(urls.size(), 1)));
  absl::Status status = SpawnAndTake(client, urls, pool, take);
  // They use the caller's URLs and label. A cancelled caller can no longer wait, but it can let
  // them run: each of them ends at its next park.
  while (pool.running() > 0) {
    pool.CancelAll();
    Yield();
  }
  return status;
}

}  // namespace grove::functions
