// kVersion: which Grove this is.
#ifndef GROVE_SERVER_VERSION_H_
#define GROVE_SERVER_VERSION_H_

#include <string_view>

namespace grove {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace grove

#endif  // GROVE_SERVER_VERSION_H_
