// FeedTitles: the titles of many feeds, fetched at once, taken in order.
//
// The dispatch pattern: one fiber per URL, answers in the order of the URLs while they arrive.
// Hub thread only.
#ifndef GROVE_SERVER_FUNCTIONS_FEED_TITLES_H_
#define GROVE_SERVER_FUNCTIONS_FEED_TITLES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grove::functions {

class FetchClient;

inline constexpr size_t kFeedUrlsMax = 1000;

// kUnavailable for another HTTP status than 2xx; else as Fetch() and FeedTitle(). **Parks.**
absl::StatusOr<std::string> FetchFeedTitle(FetchClient& client, const std::string& url);

// Calls `take` once for each URL, in order, as soon as it and all before it are known; an error
// that `take` returns ends the rest. Fetches of URLs not yet taken have ended when it returns.
// kCancelled, kDeadlineExceeded are the caller's own. **Parks.**
absl::Status ForEachFeedTitle(
    FetchClient& client, const std::vector<std::string>& urls,
    absl::FunctionRef<absl::Status(size_t index, absl::StatusOr<std::string> title)> take);

}  // namespace grove::functions

#endif  // GROVE_SERVER_FUNCTIONS_FEED_TITLES_H_
