#include "server/http/middleware/request_id.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "server/http/handler/request_id_scope.h"

namespace grove::http {
namespace {

constexpr char kField[] = "X-Request-Id";

struct State {
  TrustedAddresses trusted;
  absl::BitGen random;
};

}  // namespace

bool IsSaneRequestId(std::string_view id) {
  return !id.empty() && id.size() <= kRequestIdBytesMax &&
         std::all_of(id.begin(), id.end(), [](char c) {
           return absl::ascii_isalnum(c) ||
                  std::string_view("-._~+/=:@").find(c) != std::string_view::npos;
         });
}

Middleware RequestId(TrustedAddresses trusted) {
  const auto state = std::make_shared<State>(State{std::move(trusted), {}});
  return [state](Request& request, Response& response, const Handler& next) {
    const std::string_view given = request.Get(kField).value_or("");
    if (IsSaneRequestId(given) && state->trusted.Contains(request.context.client)) {
      request.context.id = given;
    } else {
      request.context.id =
          request.Keep(absl::StrFormat("%016x%016x", absl::Uniform<uint64_t>(state->random),
                                       absl::Uniform<uint64_t>(state->random)));
    }
    response.AddAlways(kField, request.context.id);
    const RequestIdScope scope(request.context.id);
    return next(request, response);
  };
}

}  // namespace grove::http
