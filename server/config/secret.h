// ReadSecretFile: a token's secret, from a file that others cannot read; and until when it holds.
#ifndef GROVE_SERVER_CONFIG_SECRET_H_
#define GROVE_SERVER_CONFIG_SECRET_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grove::config {

// 128 bits, if every byte is random.
inline constexpr size_t kSecretBytesMin = 16;
// The line travels in a request header.
inline constexpr size_t kSecretBytesMax = 4096;

// The file's first line without its line end. kFailedPrecondition when others may read or write the
// file; its group may read it, since Kubernetes projects secrets so (defaultMode: 0440).
absl::StatusOr<std::string> ReadSecretFile(const std::string& path);

// The same of a header's whole value: blanks may stand in it, as in "Bearer KEY".
absl::StatusOr<std::string> ReadFieldFile(const std::string& path);

// A token's expire_time in microseconds of the wall clock; 0 where there is none. INVALID_ARGUMENT:
// not in RFC 3339.
absl::StatusOr<int64_t> ParseExpireTime(std::string_view text);

// The checks on a private key's file: a readable regular file that others may not read or write.
absl::Status CheckPrivateFile(const std::string& path);

// A readable regular file.
absl::Status CheckReadableFile(const std::string& path);

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_SECRET_H_
