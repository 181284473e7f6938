// Guarded: calls what an application has registered, outside a fiber of its own.
#ifndef GROVE_SERVER_WORKER_GUARDED_H_
#define GROVE_SERVER_WORKER_GUARDED_H_

#include <exception>
#include <string>
#include <type_traits>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace grove::worker {

// What `body` returns, which is something; an exception of it, or nothing, as an error that begins
// with `what`.
template <typename F>
absl::StatusOr<std::invoke_result_t<F>> Guarded(const std::string& what, F body) {
  try {
    auto made = body();
    if (made == nullptr) return absl::InternalError(absl::StrCat(what, ": returned nothing"));
    return made;
  } catch (const std::exception& e) {
    return absl::InternalError(absl::StrCat(what, ": threw: ", e.what()));
  } catch (...) {
    return absl::InternalError(absl::StrCat(what, ": threw something that is no std::exception"));
  }
}

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_GUARDED_H_
