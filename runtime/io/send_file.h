// SendFile: sends a range of a file to a socket without copying it through this process.
//
// sendfile(2) reads from the page cache; what is not there is read from the disk by the hub's
// thread, as with every file read that is not offloaded. Hub thread only.
#ifndef GROVE_RUNTIME_IO_SEND_FILE_H_
#define GROVE_RUNTIME_IO_SEND_FILE_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "runtime/io/socket.h"

namespace grove {

// Per system call; other fibers run between two.
inline constexpr size_t kSendFileChunkBytes = 1024 * 1024;

// Sends `length` bytes of `file` from `offset` on; its file position stays. kOutOfRange: the file
// ends before, and what there was has been sent. kInvalidArgument: not a file that can be mapped.
// Else as Socket::Write; calls IgnoreBrokenPipes(). **Parks.**
absl::Status SendFile(Socket& to, int file, int64_t offset, uint64_t length);

}  // namespace grove

#endif  // GROVE_RUNTIME_IO_SEND_FILE_H_
