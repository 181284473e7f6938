// Utf8Text: what a function says, fit for a message of the link.
//
// A protobuf string must be UTF-8: control would refuse the whole frame, and again after every new
// link, since an attempt's end is repeated until it is acknowledged.
#ifndef GROVE_SERVER_WORKER_UTF8_TEXT_H_
#define GROVE_SERVER_WORKER_UTF8_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace grove::worker {

// The text with U+FFFD for every byte that belongs to no character (RFC 3629), cut between two
// characters to at most `bytes_max`.
std::string Utf8Text(std::string_view text, size_t bytes_max);

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_UTF8_TEXT_H_
