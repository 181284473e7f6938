// Authorizer: who calls, and whether they may call which method.
//
// While no token is needed everybody may call everything. Once there was one, a call names a token
// in its `authorization: Bearer …` metadata, which must be of somebody whom the method is for and
// whose roles cover it. Any thread.
#ifndef GROVE_SERVER_CONTROL_AUTHORIZER_H_
#define GROVE_SERVER_CONTROL_AUTHORIZER_H_

#include <atomic>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/control/method_table.h"
#include "server/tenancy/token_book.h"
#include "server/wall_time.h"

namespace grove::control {

class Authorizer {
 public:
  // `book` must outlive it.
  Authorizer(const tenancy::TokenBook& book, bool requires_tokens)
      : book_(book), requires_tokens_(requires_tokens) {}

  // For good: that the last token is gone opens nothing.
  void RequireTokens() { requires_tokens_.store(true, std::memory_order_relaxed); }
  bool requires_tokens() const { return requires_tokens_.load(std::memory_order_relaxed); }

  // Who calls; never null. `authorization`: the metadata's value, empty if there is none.
  // UNAUTHENTICATED, PERMISSION_DENIED.
  absl::StatusOr<tenancy::PrincipalPtr> Authorize(const MethodRow& method,
                                                  std::string_view authorization,
                                                  WallMicros now_us = WallNow()) const;

 private:
  const tenancy::TokenBook& book_;
  std::atomic<bool> requires_tokens_;
};

// What a call gets that is under way when its token ends.
absl::Status TokenRevoked();

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_AUTHORIZER_H_
