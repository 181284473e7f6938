#include "server/tasks/paging.h"

#include <algorithm>
#include <string>

#include "runtime/switch/abseil_text.h"
#include "server/tasks/refusal.h"

namespace grove::tasks {
namespace {

constexpr int32_t kPageSizeDefault = 100;
constexpr int32_t kPageSizeMax = 1000;

}  // namespace

absl::StatusOr<int32_t> PageSize(int32_t asked) {
  if (asked < 0) {
    return BadField("page_size", "PAGE_SIZE_NEGATIVE", StrCat("is ", asked));
  }
  return asked == 0 ? kPageSizeDefault : std::min(asked, kPageSizeMax);
}

absl::Status BadPageToken() {
  return BadField("page_token", "PAGE_TOKEN_INVALID",
                  "is not one that a list of the same parent, filter and view returned; leave it "
                  "empty for the first page");
}

absl::Status NotInConfig(std::string_view kind, std::string_view name) {
  return Refusal(absl::StatusCode::kNotFound, StrCat(kind, "_NOT_FOUND"),
                 StrCat("there is no ", name), {{"name", std::string(name)}});
}

}  // namespace grove::tasks
