// IsPlainText, AsPlainText: what may end in a log line, a path or a label.
#ifndef GROVE_SERVER_CONFIG_PLAIN_TEXT_H_
#define GROVE_SERVER_CONFIG_PLAIN_TEXT_H_

#include <string>
#include <string_view>

namespace grove::config {

// UTF-8 without control characters.
bool IsPlainText(std::string_view text);

// `text`, with "\x07" for each byte by which it is none.
std::string AsPlainText(std::string_view text);

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_PLAIN_TEXT_H_
