#include "server/control/open_sockets.h"

#include <sys/stat.h>

namespace grove::control {
namespace {

// 0: the number is nobody's, or no socket's.
ino_t InodeOf(int fd) {
  struct stat file;
  return fstat(fd, &file) == 0 && S_ISSOCK(file.st_mode) ? file.st_ino : 0;
}

}  // namespace

void OpenSockets::Add(int fd) {
  sockets_.push_back({fd, InodeOf(fd)});
}

void OpenSockets::ForgetClosed() {
  std::erase_if(sockets_, [](const Socket& socket) { return InodeOf(socket.fd) != socket.inode; });
}

}  // namespace grove::control
