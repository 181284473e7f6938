// ListToken: where a list goes on, bound to the list.
//
// Carries the last entry shown and a checksum over it and everything that selects the list's
// entries: a token of another list, another filter, or a made-up one is refused instead of giving a
// wrong page. Pure.
#ifndef GROVE_SERVER_TASKS_LIST_TOKEN_H_
#define GROVE_SERVER_TASKS_LIST_TOKEN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace grove::tasks {

// FNV-1a: the same in every process, unlike absl::Hash. It guards against mistakes, not against
// attack: a token gives nothing that the list would not.
uint64_t ListChecksum(std::string_view list, std::string_view position);

// `list` names the list with all that selects its entries; `last` is the last entry shown.
std::string EncodeListToken(std::string_view list, std::string_view last);
// The last entry shown; nullopt if `token` is not of this list.
std::optional<std::string> DecodeListToken(std::string_view list, std::string_view token);

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_LIST_TOKEN_H_
