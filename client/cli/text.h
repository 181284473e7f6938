// Text for people: escapes, widths, ages and durations as a terminal shows them.
//
// Pure. Whatever a server sends may hold control characters or broken UTF-8: it passes Escape
// before it is printed.

#ifndef GROVE_CLIENT_CLI_TEXT_H_
#define GROVE_CLIENT_CLI_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace grove::client::cli {

// On one line and harmless to a terminal: control and direction characters and bytes that are not
// UTF-8 are escaped.
std::string Escape(std::string_view text);

bool IsUtf8(std::string_view text);

// Characters of valid UTF-8.
size_t Width(std::string_view text);

// At most `width` characters, "…" in place of what was cut.
std::string Cut(std::string_view text, size_t width);

// Two units at most: "850ms", "1.50s", "3m20s", "2d4h".
std::string DurationText(absl::Duration duration);

// "3s ago", "in 5s", "-" for the zero timestamp.
std::string AgeText(const google::protobuf::Timestamp& time, absl::Time now);

// "512 B", "3.4 MiB".
std::string BytesText(int64_t bytes);

absl::Duration ToDuration(const google::protobuf::Duration& duration);
absl::Time ToTime(const google::protobuf::Timestamp& time);

// The value's name without the type's prefix: SUCCEEDED of TASK_STATE_SUCCEEDED; the number if it
// is unknown.
std::string ShortEnumName(const google::protobuf::EnumDescriptor& type, int number);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_TEXT_H_
