// FormatPage: what a page of /debug says, for people.
//
// Values stand as "name: value", lists of like things as tables, and what a row has many of (the
// frames of a stack) below it. Pure.
#ifndef GROVE_SERVER_ADMIN_PAGE_TEXT_H_
#define GROVE_SERVER_ADMIN_PAGE_TEXT_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace grove::admin {

// Its members stay in the order in which they were set.
using Json = nlohmann::ordered_json;

std::string FormatPage(const Json& page);

// For a page in HTML.
std::string EscapeHtml(std::string_view text);

}  // namespace grove::admin

#endif  // GROVE_SERVER_ADMIN_PAGE_TEXT_H_
