// ReadRegularFile: the bytes of a file that is of a bounded size.

#ifndef GROVE_SERVER_CONFIG_CONFIG_FILE_H_
#define GROVE_SERVER_CONFIG_CONFIG_FILE_H_

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace grove::config {

struct FileContent {
  std::string text;
  // Device and inode, which two names of one file share.
  std::pair<dev_t, ino_t> identity;
};

// kInvalidArgument for what is no regular file, or has more bytes. `what` begins each error:
// "config file".
absl::StatusOr<FileContent> ReadRegularFile(const std::string& what, const std::string& path,
                                            size_t bytes_max);

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_CONFIG_FILE_H_
