#include "runtime/hub/exception_text.h"

#include <exception>

#include "absl/strings/str_format.h"
#include "runtime/hub/check.h"

namespace grove {

std::string DescribeCurrentException(std::string_view where) {
  GROVE_CHECK(std::current_exception() != nullptr, "no exception is being handled here");
  try {
    throw;
  } catch (const std::exception& error) {
    if (where.empty()) return absl::StrFormat("exception: %s", error.what());
    return absl::StrFormat("exception in %s: %s", where, error.what());
  } catch (...) {
    return DescribeUnknownException(where);
  }
}

std::string DescribeUnknownException(std::string_view where) {
  if (where.empty()) return "exception of unknown type";
  return absl::StrFormat("exception of unknown type in %s", where);
}

}  // namespace grove
