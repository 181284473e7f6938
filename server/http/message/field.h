// Field: a header or trailer field as a message carries it.
//
// Views into whoever holds the bytes.
#ifndef GROVE_SERVER_HTTP_MESSAGE_FIELD_H_
#define GROVE_SERVER_HTTP_MESSAGE_FIELD_H_

#include <string_view>

namespace grove::http {

struct Field {
  std::string_view name;
  std::string_view value;
};

// Compared without case, as field names and tokens are.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_MESSAGE_FIELD_H_
