// FeedTitle: the title of an RSS or Atom feed, from its bytes.
//
// Knows RSS 0.91 to 2.0 (<rss>), RSS 0.9 and 1.0 (<rdf:RDF>) and Atom 0.3 and 1.0 (<feed>). The
// title comes as one line of plain text: white space collapsed, control characters gone, and of an
// Atom title of type="html" the text without its tags. Loads nothing that the feed refers to.
// Pure; any thread.
#ifndef GROVE_SERVER_FUNCTIONS_FEED_H_
#define GROVE_SERVER_FUNCTIONS_FEED_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace grove::functions {

inline constexpr size_t kFeedMaxBytes = 16 << 20;
inline constexpr int kFeedDepthMax = 64;
// Longer titles are cut, at a character, with "…".
inline constexpr size_t kFeedTitleMaxBytes = 1024;

// kInvalidArgument: "not a feed: the root element is <html>", "not well-formed XML in line 3: …",
// "the feed has no title". What follows the title is not looked at.
absl::StatusOr<std::string> FeedTitle(std::string_view bytes);

}  // namespace grove::functions

#endif  // GROVE_SERVER_FUNCTIONS_FEED_H_
