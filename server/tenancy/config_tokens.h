// ConfigTokens: the tokens that the config names.
#ifndef GROVE_SERVER_TENANCY_CONFIG_TOKENS_H_
#define GROVE_SERVER_TENANCY_CONFIG_TOKENS_H_

#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "grove/config/v1/config.pb.h"
#include "server/tenancy/principal.h"
#include "server/tenancy/token_book.h"

namespace grove::tenancy {

// kNone: unspecified.
Role RoleOf(config::v1::Token::Role role);
// Of `role` and `roles` together.
RoleSet RolesOf(const config::v1::Token& token);

// Reads the secrets of `tokens`, a list that stands at `key` ("control.tokens"), and puts them into
// `book`. INVALID_ARGUMENT names the token: no role, a file or a time that cannot be used, the
// secret of another.
absl::Status AddConfigTokens(std::string_view key,
                             const google::protobuf::RepeatedPtrField<config::v1::Token>& tokens,
                             TokenBook& book);

}  // namespace grove::tenancy

#endif  // GROVE_SERVER_TENANCY_CONFIG_TOKENS_H_
