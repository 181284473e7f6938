// OneLine, HtmlText: what strangers wrote, as one line of plain text.
//
// Pure; any thread.
#ifndef GROVE_SERVER_FUNCTIONS_ONE_LINE_H_
#define GROVE_SERVER_FUNCTIONS_ONE_LINE_H_

#include <string>
#include <string_view>

namespace grove::functions {

// `text` (UTF-8) on one line: runs of white space and control characters become one space, none
// stands at the ends.
std::string OneLine(std::string_view text);

// The text of an HTML fragment: tags gone, character references resolved (numeric ones and the
// commonest names; others stay as they are).
std::string HtmlText(std::string_view html);

}  // namespace grove::functions

#endif  // GROVE_SERVER_FUNCTIONS_ONE_LINE_H_
