// PageToken: where a list goes on, in a form that clients cannot build or mix up.
//
// A token carries a position and a checksum over it and the list it belongs to: one that was cut,
// edited, or taken from another list is refused instead of giving a wrong page. Pure.
#ifndef GROVE_SERVER_CONTROL_PAGE_TOKEN_H_
#define GROVE_SERVER_CONTROL_PAGE_TOKEN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace grove::control {

struct PagePosition {
  // Index of the worker, and what was last seen of it: lists go through workers in order.
  uint32_t worker = 0;
  uint64_t after = 0;
};

// `list` names the list with everything that selects its entries ("ListFibers workers/0").
std::string EncodePageToken(std::string_view list, const PagePosition& position);

// The start of the list if `token` is empty; INVALID_ARGUMENT if it is not of this list.
absl::StatusOr<PagePosition> DecodePageToken(std::string_view list, std::string_view token);

// `size`, or `size_default` where it is 0, but at most `size_max`. INVALID_ARGUMENT if negative.
absl::StatusOr<int32_t> PageSize(int32_t size, int32_t size_default, int32_t size_max);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_PAGE_TOKEN_H_
