// OpenSockets: how many of the sockets that were handed away are still open.
//
// Whoever has them closes them without a word. A socket's number is seen to be closed, or to belong
// to another socket, by its inode, which the kernel gives each socket for its life.
// One thread at a time.
#ifndef GROVE_SERVER_CONTROL_OPEN_SOCKETS_H_
#define GROVE_SERVER_CONTROL_OPEN_SOCKETS_H_

#include <sys/types.h>

#include <cstddef>
#include <vector>

namespace grove::control {

class OpenSockets {
 public:
  // Before the socket is handed away.
  void Add(int fd);
  // A system call for each socket.
  void ForgetClosed();

  // As of the last ForgetClosed().
  size_t count() const { return sockets_.size(); }

 private:
  struct Socket {
    int fd;
    ino_t inode;
  };

  std::vector<Socket> sockets_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_OPEN_SOCKETS_H_
