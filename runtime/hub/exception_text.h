// What a caught exception says, in words that are the same wherever the runtime tells of one.
#ifndef GROVE_RUNTIME_HUB_EXCEPTION_TEXT_H_
#define GROVE_RUNTIME_HUB_EXCEPTION_TEXT_H_

#include <string>
#include <string_view>

namespace grove {

// "exception in WHERE: WHAT", or "exception of unknown type in WHERE"; with an empty `where`
// "exception: WHAT" and "exception of unknown type". Requires: in a catch block.
std::string DescribeCurrentException(std::string_view where = {});
// What the above says of one that is no std::exception, for who learns of it without catching it.
std::string DescribeUnknownException(std::string_view where = {});

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_EXCEPTION_TEXT_H_
